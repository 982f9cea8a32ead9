"""Who may do what at the admin endpoints: monitoring is everybody's; what changes or tells more is for few.

Everything but looking (GET) changes something; `/top`, `/cache?name=` and `/status?changes=` tell what pods have asked
for and who they are. For all that, whoever asks comes over loopback, or shows the token of `admin.tokenFile`, and where
that is set nothing else will do. Loopback is shared: by pods with the node's network, and by a browser or a proxy that
can be talked into asking. Those say on whose behalf they ask (Origin, or a name in Host that an attacker made an
address of this machine), and are refused.
"""

import logging
from _operator import _compare_digest as same  # hmac's, without hashlib and so without OpenSSL (4 MiB)
from collections.abc import Mapping
from typing import Final

from resolver.events import event
from resolver.ops.requests import HttpProblem, Request
from resolver.ops.watch import FileWatch

_log = logging.getLogger(__name__)

LEAST_CHARACTERS: Final = 16
"""A shorter token could be guessed."""
_TELLING: Final = {"/cache": "name", "/status": "changes"}
"""By path: the parameter with which it tells more than numbers."""
_BEARER: Final = "bearer "
_CHALLENGE: Final = (("WWW-Authenticate", 'Bearer realm="nodelocaldns"'),)


class Access:
    """`follow` a token file (or none), then `check` each request."""

    def __init__(self) -> None:
        self._path = ""
        self._token = b""
        """What has to be shown; empty with a path: it could not be read, and nobody may."""
        self._watch: FileWatch | None = None

    def follow(self, path: str) -> None:
        """Use the token in this file, also when it changes; "": loopback is enough. Needs a running loop for a path."""
        if path == self._path:
            return
        self.close()
        self._path = path
        if path:
            self._watch = FileWatch(path, self._changed, self._unreadable)
            self._watch.read_now()
            self._watch.start()

    def close(self) -> None:
        """Watch no longer; what was protected stays so."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._token = b""

    def check(self, request: Request, fields: Mapping[str, str]) -> None:
        """Raise HttpProblem unless this may be asked. `fields` are the request's, their names in lower case."""
        if _is_public(request):
            return
        if self._path:
            self._check_token(fields.get("authorization", ""))
        else:
            _check_loopback(request.peer, fields)
        if request.method != "GET":
            event(
                _log, logging.INFO, "an admin request changes something", method=request.method, path=request.path,
                query=str(dict(request.query)), client=request.peer,
            )  # fmt: skip

    def _check_token(self, authorization: str) -> None:
        if not self._token:
            raise HttpProblem(403, "nobody may do this: the file of admin.tokenFile has no token, see the log")
        shown = authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else ""
        if not same(shown.encode(), self._token):
            what = "another token is needed" if shown else "this needs the token of admin.tokenFile"
            raise HttpProblem(401, f"{what}, as Authorization: Bearer TOKEN", _CHALLENGE)

    def _changed(self, text: str) -> None:
        token = text.strip()
        if len(token) < LEAST_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            self._unreadable(f"it must hold {LEAST_CHARACTERS} or more printable ASCII characters and no space")
            return
        self._token = token.encode()
        event(_log, logging.INFO, "the token of the admin endpoints was read", file=self._path)

    def _unreadable(self, reason: str) -> None:
        """Nobody may, until there is a token: an old one may have been taken away for a reason."""
        self._token = b""
        event(_log, logging.ERROR, "the token of the admin endpoints cannot be used", file=self._path, reason=reason)


def _is_public(request: Request) -> bool:
    if request.path == "/top":
        return False
    return request.method == "GET" and _TELLING.get(request.path) not in request.query


def _check_loopback(peer: str, fields: Mapping[str, str]) -> None:
    if not is_loopback(peer):
        raise HttpProblem(
            403, f"for clients on the loopback address, or with a token (admin.tokenFile); this is {peer}"
        )
    if "origin" in fields:
        raise HttpProblem(403, "this is not for pages in a browser: no request with the field Origin may do this")
    host = fields.get("host", "")
    if not _is_address(host):
        raise HttpProblem(403, "ask for an address or for localhost: a name in Host may be anybody's")


def is_loopback(peer: str) -> bool:
    """Whether an IP address is one of the machine's own loopback, also where an IPv6 socket reports an IPv4 client."""
    from ipaddress import IPv6Address, ip_address  # noqa: PLC0415 - 0.2 MiB for who does more than monitoring

    if not peer:
        return False
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _is_address(host: str) -> bool:
    """Whether Host (RFC 9110, section 7.2) is an IP address or localhost, with or without a port."""
    from ipaddress import ip_address  # noqa: PLC0415 - as above

    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
