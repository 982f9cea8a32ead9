"""Messages between the supervisor and a worker, or between two supervisors: JSON with file descriptors beside it.

A Unix socket that keeps packets apart (SOCK_SEQPACKET) carries them; a message that is longer than a packet, or brings
more descriptors than one may carry, goes in parts. Whoever is at the other end may run unprivileged and be mistaken:
what cannot be read, or is longer than it may be, raises and costs a bounded amount of memory.
"""

import array
import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from resolver.lean import jsontext

Message = dict[str, Any]

PART_BYTES: Final = 64 * 1024
PART_DESCRIPTORS: Final = 128
"""Of one packet; the kernel takes 253 (SCM_MAX_FD)."""
MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""The longest message."""
MESSAGE_DESCRIPTORS: Final = 4096
QUEUED: Final = 1024
"""Parts that may wait for a reader that is busy; one that reads none of so many is as good as gone."""
_MORE = b"\0"
_LAST = b"\1"


class ChannelError(OSError):
    """The other end is gone, or says what cannot be understood. The channel is of no more use."""


class Channel:
    """One end, non-blocking; it owns the socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._text = bytearray()
        self._descriptors: list[int] = []

    @property
    def blocked(self) -> bool:
        """Whether something waits until the other end reads: call `flush` when the socket is writable."""
        return bool(self._waiting)

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send, now or as soon as there is room; descriptors are duplicated, the caller's stay its own.

        Raises ChannelError.
        """
        text = jsontext.dumps(message).encode()
        parts = max(-(-len(text) // PART_BYTES), -(-len(descriptors) // PART_DESCRIPTORS), 1)
        if len(self._waiting) + parts > QUEUED:
            raise ChannelError("the other end does not read")
        for part in range(parts):
            body = text[part * PART_BYTES : (part + 1) * PART_BYTES]
            given = descriptors[part * PART_DESCRIPTORS : (part + 1) * PART_DESCRIPTORS]
            mark = _LAST if part == parts - 1 else _MORE
            self._waiting.append((mark + body, [os.dup(number) for number in given]))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as there is room; raises ChannelError."""
        while self._waiting:
            data, descriptors = self._waiting[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            try:
                self.sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError as error:
                raise ChannelError(errno.EPIPE, error.strerror) from None
            self._waiting.popleft()
            _close(descriptors)

    def receive(self) -> tuple[Message, list[int]] | None:
        """The next message with its descriptors, which are the caller's now; None: there is none yet.

        Raises ChannelError.
        """
        while True:
            try:
                data, descriptors, flags, _ = socket.recv_fds(self.sock, PART_BYTES + 1, PART_DESCRIPTORS)
            except BlockingIOError:
                return None
            except OSError as error:
                raise ChannelError(errno.EPIPE, error.strerror) from None
            self._descriptors += descriptors
            if not data:
                raise ChannelError(errno.EPIPE, "the other end is gone")
            self._text += data[1:]
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise ChannelError("a message is cut off")
            if len(self._text) > MESSAGE_BYTES or len(self._descriptors) > MESSAGE_DESCRIPTORS:
                raise ChannelError("a message is too long")
            if data[:1] == _LAST:
                return self._take()

    def close(self) -> None:
        """Close it, with every descriptor that nobody has taken. Idempotent."""
        for _, descriptors in self._waiting:
            _close(descriptors)
        self._waiting.clear()
        _close(self._descriptors)
        self._descriptors = []
        self.sock.close()

    def _take(self) -> tuple[Message, list[int]]:
        text, self._text = bytes(self._text), bytearray()
        try:
            message = jsontext.loads(text)
        except (ValueError, RecursionError):
            raise ChannelError("a message that is no JSON") from None
        if not isinstance(message, dict):
            raise ChannelError("a message that is no object")
        descriptors, self._descriptors = self._descriptors, []
        return message, descriptors


def pair() -> tuple[Channel, Channel]:
    """Both ends of a new channel."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one), Channel(other)


def _close(descriptors: Sequence[int]) -> None:
    for number in descriptors:
        with suppress(OSError):
            os.close(number)
