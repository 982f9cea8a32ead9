"""recvmmsg(2) and sendmmsg(2): up to 64 packets in one system call, in buffers that are allocated once.

The standard library has no binding for the two, so ctypes calls libc. What a call reads and writes (lengths, sizes) is
seen through memoryviews of the C arrays: a field of a ctypes structure takes twice as long to read.
`make bench`, work "cached", pays for this file: with recvfrom and sendto an answer costs 17 to 19 us instead of 11.
"""

import ctypes
import errno
import os
import socket
from ctypes import POINTER, Structure, c_char, c_int, c_size_t, c_uint, c_void_p
from functools import lru_cache
from typing import Any, Final

MESSAGES: Final = 64
_GAP_BYTES = 64
"""Between two slots: with slots a whole page apart, all first cache lines would compete for the same few places."""
_NAME_BYTES: Final = 28  # sockaddr_in6; sockaddr_in is shorter
_KNOWN_CLIENTS = 1024
_MSG_DONTWAIT = socket.MSG_DONTWAIT


class _Iovec(Structure):
    _fields_ = (("base", c_void_p), ("len", c_size_t))


class _Msghdr(Structure):
    """<sys/socket.h>, as glibc and musl lay it out on 64-bit Linux."""

    _fields_ = (
        ("name", c_void_p),
        ("namelen", c_uint),
        ("iov", POINTER(_Iovec)),
        ("iovlen", c_size_t),
        ("control", c_void_p),
        ("controllen", c_size_t),
        ("flags", c_int),
    )


class _Mmsghdr(Structure):
    """A message header and how many bytes were received or sent."""

    _fields_ = (("header", _Msghdr), ("length", c_uint))


# In 32-bit words; `available` insists on them.
HEADER_WORDS: Final = 16
LENGTH_WORD: Final = 14
_NAMELEN_WORD: Final = 2
_HEADER_BYTES: Final = 4 * HEADER_WORDS


def _functions() -> tuple[Any, Any] | None:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        receive, send = libc.recvmmsg, libc.sendmmsg
    except (OSError, AttributeError):
        return None
    receive.argtypes = [c_int, c_void_p, c_uint, c_int, c_void_p]
    send.argtypes = [c_int, c_void_p, c_uint, c_int]
    return receive, send


_found = _functions()
available: Final = (
    _found is not None
    and os.uname().sysname == "Linux"
    and ctypes.sizeof(_Mmsghdr) == _HEADER_BYTES
    and _Mmsghdr.length.offset == 4 * LENGTH_WORD
)
"""Whether this system has the two calls, in the layout that this file knows."""


class Messages:
    """64 slots for packets and the addresses that they came from or go to.

    Slot `i` begins at `starts[i]` of `view` (to write) and `data` (to read: a slice of it is a bytes object).
    """

    def __init__(self, slot_bytes: int) -> None:
        self.slot_bytes = slot_bytes
        stride = slot_bytes + _GAP_BYTES
        self.starts = [index * stride for index in range(MESSAGES)]
        self.slots = [
            (index, start, start + 2, index * HEADER_WORDS + LENGTH_WORD, index * 2 + 1)
            for index, start in enumerate(self.starts)
        ]
        """For loops: a slot's number, where its packet begins, where the bytes after the ID begin, and its places in
        `words` (length received) and `sizes` (length to send)."""
        self.data: Any = (c_char * (MESSAGES * stride))()
        self.view = memoryview(self.data).cast("B")
        self._names: Any = (c_char * (MESSAGES * _NAME_BYTES))()
        self._iovecs = (_Iovec * MESSAGES)()
        self._headers = (_Mmsghdr * MESSAGES)()
        data_at, names_at = ctypes.addressof(self.data), ctypes.addressof(self._names)
        for index, start in enumerate(self.starts):
            iovec, header = self._iovecs[index], self._headers[index].header
            iovec.base, iovec.len = data_at + start, slot_bytes
            header.name, header.namelen = names_at + index * _NAME_BYTES, _NAME_BYTES
            header.iov, header.iovlen = ctypes.pointer(iovec), 1
        self._headers_at = ctypes.addressof(self._headers)
        self.words = memoryview(self._headers).cast("B").cast("I")
        """The headers as 32-bit words: `words[i * HEADER_WORDS + LENGTH_WORD]` is the length received in slot i."""
        self.sizes = memoryview(self._iovecs).cast("B").cast("Q")
        """`sizes[i * 2 + 1]` is the length of the packet to send from slot i."""
        self._empty = bytes(memoryview(self._iovecs).cast("B"))
        self._all_iovecs = memoryview(self._iovecs).cast("B")
        self._all_names = memoryview(self._names).cast("B")

    def receive(self, descriptor: int) -> int:
        """Fill the slots with what the kernel has queued: how many packets; 0: none. Raises OSError."""
        self._all_iovecs[:] = self._empty
        received: int = _receive(descriptor, self._headers_at, MESSAGES, _MSG_DONTWAIT, None)
        if received >= 0:
            return received
        number = ctypes.get_errno()
        if number in {errno.EAGAIN, errno.EINTR}:
            return 0
        raise OSError(number, os.strerror(number))

    def send(self, descriptor: int, first: int, count: int) -> list[int]:
        """Send the packets in `count` slots from `first` on, whatever happens to some of them; the errnos of those."""
        failures = []
        end = first + count
        while first < end:
            sent = _send(descriptor, self._headers_at + first * _HEADER_BYTES, end - first, _MSG_DONTWAIT)
            if sent < 0:
                failures.append(ctypes.get_errno())
                sent = 1
            first += sent
        return failures

    def name(self, index: int) -> bytes:
        """The socket address of a slot, as the kernel wrote it."""
        start = index * _NAME_BYTES
        name: bytes = self._names[start : start + self.words[index * HEADER_WORDS + _NAMELEN_WORD]]
        return name

    def put(self, index: int, name: bytes, packet: bytes) -> None:
        """Fill a slot with a packet (at most `slot_bytes`) and the socket address that it goes to."""
        start = index * _NAME_BYTES
        self._all_names[start : start + len(name)] = name
        self.words[index * HEADER_WORDS + _NAMELEN_WORD] = len(name)
        start = self.starts[index]
        self.view[start : start + len(packet)] = packet
        self.sizes[index * 2 + 1] = len(packet)


def client_of(name: bytes) -> str:
    """The IP address in a socket address, as text."""
    return _text(name[4:8] if len(name) < _NAME_BYTES else name[8:24])


@lru_cache(_KNOWN_CLIENTS)  # a node has a hundred pods, and each asks again and again
def _text(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


if _found is not None:
    _receive, _send = _found
