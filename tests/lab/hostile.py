"""A server that says what a test makes it say, over UDP and TCP, at one port of loopback."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from resolver.message.framing import frame
from tests.cases.recorded import question_of
from tests.lab.ask import read_message
from tests.network import free_port

Say = Callable[[bytes], list[bytes]]
"""From a query to the packets that are sent back."""
Talk = Callable[[socket.socket], None]
"""What is done with a connection; it is closed after that."""


class Hostile:
    """`say` answers over UDP, and over TCP where there is no `talk`. A test sets both as it goes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.say: Say = lambda _: []
        self.talk: Talk = self._answer
        self.asked: list[bytes] = []
        self.heard: Callable[[bytes, int], None] = lambda query, port: None
        """Is told each query over UDP, and from which port it came."""
        self.ended = 0
        """Connections that are over, whoever has ended them."""
        self._closing = False
        self._datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", port))
        self._listener = socket.create_server(("127.0.0.1", port))
        self._threads: list[threading.Thread] = []
        self._streams: list[socket.socket] = []
        for serve in (self._serve_datagrams, self._serve_streams):
            self._start(serve)

    def close(self) -> None:
        """End all of it."""
        self._closing = True
        with socket.socket(type=socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.sendto(b"", ("127.0.0.1", self.port))
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._datagrams.close()
        self._listener.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _serve_datagrams(self) -> None:
        while True:
            query, client = self._datagrams.recvfrom(65535)
            if self._closing:
                return
            self.asked.append(query)
            self.heard(query, client[1])
            for packet in self.say(query):
                self._datagrams.sendto(packet, client)

    def _serve_streams(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self._streams.append(stream)
            self._start(lambda stream=stream: self._serve(stream))  # type: ignore[misc]

    def _serve(self, stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError):
            self.talk(stream)
        self.ended += 1

    def _answer(self, stream: socket.socket) -> None:
        while query := read_message(stream):
            self.asked.append(query)
            for packet in self.say(query):
                stream.sendall(frame(packet))


@contextlib.contextmanager
def hostile() -> Iterator[Hostile]:
    """One, for as long as the block lasts."""
    server = Hostile(free_port())
    try:
        yield server
    finally:
        server.close()


def address_answer(query: bytes, last: int = 1, *, name: bytes | None = None, ident: bytes | None = None) -> bytes:
    """The answer that gives 10.0.0.`last`; to another `name` (wire form) or with another `ident`, if so wished."""
    question = question_of(query)
    if name is not None:
        question = name + question[-4:]
    head = (ident or query[:2]) + b"\x81\x80\0\1\0\1\0\0\0\0"
    return head + question + b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\x0a\0\0" + bytes((last,))
