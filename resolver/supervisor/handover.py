"""An upgrade that nobody notices: a new supervisor takes what the old one has, answers, and then the old one leaves.

They meet at a Unix socket (`node.handoverSocket`). Who greets with a version that the other does not know still starts:
with sockets of its own beside the old ones (SO_REUSEPORT) and an empty cache. Until the new one has said that it
answers, the old one goes on as before; if that never comes, nothing has changed. For ever the same are only the
greeting, its answer's "version", and the last two words, "answers" and "leaving".
"""

import errno
import logging
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple

from resolver.config.values import Admin
from resolver.events import event
from resolver.listen.holdings import Opened, Pair
from resolver.supervisor.channel import Channel, ChannelError, Message
from resolver.supervisor.loop import Loop, Timer

_log = logging.getLogger(__name__)

MARK: Final = "nodelocaldns hand-over"
VERSION: Final = 1
"""Of everything between the greeting and the end."""
REPLY_SECONDS: Final = 5.0
"""How long a new supervisor waits for the old one's sockets."""
TAKEOVER_SECONDS: Final = 30.0
"""How long the old one waits for the new one to answer, before it counts as failed."""
_BACKLOG = 4
_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: unix(7)


class Offer(NamedTuple):
    """What the old supervisor gives away: copies, its own stay in use."""

    places: Opened
    admin: socket.socket | None
    admin_settings: Admin
    memories: Sequence[int]
    """For each worker, a descriptor from which what it remembers can be read; whoever sends the offer closes them."""


class Predecessor:
    """The old supervisor, to a new one. `offer` is None where they do not understand each other."""

    def __init__(self, path: str, channel: Channel, offer: Offer | None) -> None:
        self.offer = offer
        self._path = path
        self._channel = channel

    def relieve(self) -> bool:
        """Tell it to leave: somebody else answers now. False: it has given this one up, and goes on."""
        try:
            self._channel.send({"answers": True})
            message, _ = _reply(self._channel)
        except OSError:
            return not _is_listening(self._path)  # it may just as well have died
        finally:
            self.close()
        return bool(message.get("leaving"))

    def close(self) -> None:
        """Say nothing more; if that is all, it goes on."""
        self._channel.close()


def find_predecessor(path: str) -> Predecessor | None:
    """Whoever listens at `path`, asked for everything it has; None: nobody does. Waits for at most REPLY_SECONDS.

    Raises OSError where somebody is there who gives nothing (refuses, has no time, is stuck): two that answer side by
    side and do not know of each other would stay so.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(path)
        uid = _user_of(sock)
        if uid not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, f"its user is {uid}")
        channel = Channel(sock)
        channel.send({"hello": MARK, "version": VERSION})
        received = _reply(channel)
    except OSError as error:
        sock.close()
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            return None
        raise OSError(error.errno, f"no hand-over from {path}: {error.strerror or error}") from None
    message, descriptors = received
    offer = _read_offer(message, descriptors) if message.get("version") == VERSION else None
    if offer is None:
        for number in descriptors:
            with suppress(OSError):
                os.close(number)
        event(
            _log, logging.WARNING, "the predecessor speaks another version, starting cold beside it",
            version=str(message.get("version"))[:20],
        )  # fmt: skip
    return Predecessor(path, channel, offer)


def _user_of(sock: socket.socket) -> int:
    """Who is at the other end, as the kernel has it: of a listener, who it was when it began to listen."""
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def _is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        return sock.connect_ex(path) == 0


def _reply(channel: Channel) -> tuple[Message, list[int]]:
    deadline = monotonic() + REPLY_SECONDS
    poll = select.poll()
    poll.register(channel.sock, select.POLLIN)
    while (left := deadline - monotonic()) > 0:
        poll.poll(left * 1000)
        received = channel.receive()
        if received is not None:
            return received
    raise TimeoutError(errno.ETIMEDOUT, f"the predecessor has not replied within {REPLY_SECONDS:g} s")


def _write_offer(offer: Offer) -> tuple[Message, list[int]]:
    places = [[*place, len(pairs)] for place, pairs in offer.places.items()]
    descriptors = [sock.fileno() for pairs in offer.places.values() for pair in pairs for sock in pair]
    if offer.admin is not None:
        descriptors.append(offer.admin.fileno())
    admin = None if offer.admin is None else [offer.admin_settings.address, offer.admin_settings.port]
    message = {"hello": MARK, "version": VERSION, "places": places, "admin": admin, "memories": len(offer.memories)}
    return message, [*descriptors, *offer.memories]


def _read_offer(message: Message, descriptors: list[int]) -> Offer | None:
    """The offer of a message; None if it is none: a different program has the same idea of versions."""
    try:
        counts = [((str(address), int(port)), int(pairs)) for address, port, pairs in message["places"]]
        admin = message["admin"]
        settings = Admin() if admin is None else Admin(str(admin[0]), int(admin[1]))
        memories = int(message["memories"])
    except (ArithmeticError, LookupError, TypeError, ValueError):  # JSON has an infinity here
        return None
    sockets = 2 * sum(pairs for _, pairs in counts) + (admin is not None)
    if any(pairs < 1 for _, pairs in counts) or memories < 0 or sockets + memories != len(descriptors):
        return None
    numbers = iter(descriptors)
    try:
        places: Opened = {place: [_pair(numbers) for _ in range(pairs)] for place, pairs in counts}
        return Offer(places, _taken(next(numbers)) if admin else None, settings, tuple(numbers))
    except OSError:  # not sockets
        return None


def _pair(numbers: Iterator[int]) -> Pair:
    return _taken(next(numbers)), _taken(next(numbers))


def _taken(number: int) -> socket.socket:
    """A copy of the predecessor's socket, which shares with the original whether it blocks.

    Python takes it for one that does, and would make it so with the next `dup`: then the old one would stand still in
    its next accept().
    """
    sock = socket.socket(fileno=number)
    sock.setblocking(False)
    return sock


class Successors:
    """The old supervisor's side: a socket where a new one may ask. `offer` gives what there is; `on_relieved` is called
    when another one answers (True: it reads our sockets; False: it has its own, so that what waits in ours is ours).
    """

    def __init__(self, loop: Loop, path: str, offer: Callable[[], Offer], on_relieved: Callable[[bool], None]) -> None:
        self._loop = loop
        self._path = path
        self._offer = offer
        self._on_relieved = on_relieved
        self._sock: socket.socket | None = None
        self._inode = 0
        self._channel: Channel | None = None
        self._understood = False
        self._timer: Timer | None = None

    def listen(self) -> None:
        """Begin, in the place of whoever listened there before; raises OSError."""
        fresh = f"{self._path}.{os.getpid()}"
        with suppress(FileNotFoundError):
            os.unlink(fresh)  # noqa: PTH108 - pathlib: 0.3 MiB
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        mask = os.umask(0o177)
        try:
            sock.bind(fresh)
            sock.listen(_BACKLOG)
            self._inode = os.stat(fresh).st_ino  # noqa: PTH116 - the same
            os.rename(fresh, self._path)  # noqa: PTH104 - the same
        except OSError as error:
            sock.close()
            raise OSError(error.errno, f"node.handoverSocket: {self._path}: {error.strerror}") from None
        finally:
            os.umask(mask)
        self._sock = sock
        self._loop.watch(sock.fileno(), self._accept)

    def close(self, *, remove: bool) -> None:
        """Listen no more; `remove` the file, if it is still ours. Idempotent."""
        self._forget()
        if self._sock is None:
            return
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        self._sock = None
        with suppress(OSError):
            if remove and os.stat(self._path).st_ino == self._inode:  # noqa: PTH116 - as above
                os.unlink(self._path)  # noqa: PTH108 - as above

    def close_copies(self) -> None:
        """In a forked child: close what is the parent's."""
        for each in (self._sock, self._channel):
            if each is not None:
                each.close()

    def _accept(self) -> None:
        assert self._sock is not None  # noqa: S101 - it is what called
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return
        uid = _user_of(sock)
        if uid not in (0, os.geteuid()) or self._channel is not None:
            reason = "another hand-over is under way" if self._channel is not None else f"its user is {uid}"
            event(_log, logging.WARNING, "hand-over refused", reason=reason)
            sock.close()
            return
        self._channel = Channel(sock)
        self._understood = False
        self._timer = self._loop.after(TAKEOVER_SECONDS, lambda: self._failed("it has not begun to answer in time"))
        self._loop.watch(sock.fileno(), self._heard)

    def _heard(self) -> None:
        channel = self._channel
        assert channel is not None  # noqa: S101 - it is what called
        try:
            while self._channel is channel and (received := channel.receive()) is not None:
                message, descriptors = received
                for number in descriptors:
                    os.close(number)
                self._message(channel, message)
        except ChannelError as error:
            self._failed(error.strerror or str(error))

    def _message(self, channel: Channel, message: Message) -> None:
        if message.get("answers"):
            understood = self._understood
            channel.send({"leaving": True})
            self._forget()
            self._on_relieved(understood)
        elif message.get("hello") == MARK and not self._understood:
            event(_log, logging.INFO, "a successor asks", version=str(message.get("version"))[:20])
            if message.get("version") == VERSION:
                self._understood = True
                offer = self._offer()
                try:
                    channel.send(*_write_offer(offer))
                finally:
                    for number in offer.memories:
                        os.close(number)
            else:
                channel.send({"hello": MARK, "version": VERSION})
        else:
            raise ChannelError(errno.EPROTO, "it says what is not understood")

    def _failed(self, reason: str) -> None:
        """Go on as before."""
        self._forget()
        event(_log, logging.WARNING, "the hand-over has failed, going on", reason=reason)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._channel is not None:
            self._loop.forget(self._channel.sock.fileno())
            self._channel.close()
            self._channel = None
