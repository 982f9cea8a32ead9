"""GET from the API server, in the thread that calls: h11 reads and writes the protocol, ssl carries the bytes.

http.client brings the email package along, aiohttp and the clients for Kubernetes several times what this process takes
in all (docs/kubernetes.md). A connection that goes dead without a word is noticed by the kernel's keepalive.
"""

import json
import socket
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple

import h11

from resolver import __version__

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
"""For the next bytes of what is not a watch."""
_READ_BYTES = 64 * 1024
_SAID_BYTES = 4096
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_UNACKNOWLEDGED_MS = 20_000


class Refused(Exception):
    """The API server said no; `status` is HTTP's."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{status} {what}".strip())
        self.status = status


class Place(NamedTuple):
    """Where the API server is."""

    host: str
    port: int


class Credentials(NamedTuple):
    """What to show there, and whom to trust."""

    token: str
    context: ssl.SSLContext


def credentials(token: bytes, authorities: bytes) -> Credentials:
    """Of what the two files hold; raises ValueError (ssl.SSLError is one of OSError) for what cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authorities.decode("ascii"))
    return Credentials(token.decode("ascii").strip(), context)


class Connection:
    """One connection, and one question at a time. Everything raises OSError or Refused, and then `close` is due."""

    def __init__(self, place: Place, known: Credentials) -> None:
        self._place = place
        host = place.host.encode("ascii")  # as bytes: for text, Python would load the tables of internationalised names
        stream = socket.create_connection((host, place.port), CONNECT_SECONDS)  # type: ignore[arg-type]  # bytes will do
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                stream.setsockopt(socket.IPPROTO_TCP, option, value)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
            self._socket = known.context.wrap_socket(stream, server_hostname=host)
        except BaseException:
            stream.close()
            raise
        self._protocol = h11.Connection(h11.CLIENT)
        self._headers = [
            ("Host", f"[{place.host}]" if ":" in place.host else place.host),
            ("Authorization", f"Bearer {known.token}"),
            ("User-Agent", f"nodelocaldns/{__version__}"),
        ]

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def get(
        self, path: str, silence_seconds: float = ANSWER_SECONDS, accept: str = "application/json"
    ) -> Iterator[bytes]:
        """What it answers, as it comes; silence for so long is an error."""
        try:
            yield from self._get(path, silence_seconds, accept)
        except h11.ProtocolError as error:
            raise OSError(f"what the API server sent is no HTTP: {error}") from None

    def _get(self, path: str, silence_seconds: float, accept: str) -> Iterator[bytes]:
        protocol = self._protocol
        if protocol.our_state is h11.DONE:
            protocol.start_next_cycle()
        self._socket.settimeout(silence_seconds)
        request = h11.Request(method="GET", target=path, headers=[*self._headers, ("Accept", accept)])
        self._socket.sendall((protocol.send(request) or b"") + (protocol.send(h11.EndOfMessage()) or b""))
        yield from self._response()

    def _response(self) -> Iterator[bytes]:
        status, said = 0, b""
        while not isinstance(event := self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data) and status == 200:
                yield bytes(event.data)
            elif isinstance(event, h11.Data) and len(said) < _SAID_BYTES:
                said += bytes(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("the API server has closed the connection")
        if status != 200:
            raise Refused(status, _reason(said))

    def _next(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(self._socket.recv(_READ_BYTES))
        return event


def _reason(said: bytes) -> str:
    """What a Status object says."""
    try:
        return str(json.loads(said)["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return ""
