"""Has the kernel drop some clients' packets before they are queued: a classic BPF program on a UDP socket.

It runs for each packet where that is received, for most on the account of whoever sends it, and costs the reader of
the socket nothing. Of each client that it names it lets a share of the packets pass, by the kernel's random numbers.
Attaching one takes no privilege (socket(7), SO_ATTACH_FILTER; <linux/filter.h>).
"""

import ctypes
import socket
from collections.abc import Mapping
from struct import Struct, pack, unpack

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # <asm-generic/socket.h>
_INSTRUCTION = Struct("=HBBI")  # struct sock_filter: code, jump if true, jump if false, operand
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NETWORK_HEADER = -0x100000  # SKF_NET_OFF: offsets from here on are into the IP header
_RANDOM = -0x1000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM: 32 random bits
_SOURCE_AT = {socket.AF_INET: 12, socket.AF_INET6: 8}  # RFC 791 section 3.1, RFC 8200 section 3
_WHOLE, _NOTHING = 0xFFFFFFFF, 0
_VERDICT = 4  # instructions at the end of each client's part


def program(family: int, passing: Mapping[str, float]) -> bytes:
    """The filter for a socket of this family; `passing`: by the client's address, the share of packets that pass."""
    parts = [_part(family, client, share) for client, share in passing.items()]
    return b"".join(parts) + _instruction(_RETURN, _WHOLE)


def attach(sock: socket.socket, passing: Mapping[str, float]) -> bool:
    """Have a filter on this socket, instead of the one that may be there; whether the kernel took it."""
    text = program(sock.family, passing)
    held = ctypes.create_string_buffer(text, len(text))
    head = pack("HP", len(text) // _INSTRUCTION.size, ctypes.addressof(held))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
    except OSError:  # none in this system, not allowed, or no memory
        return False
    return True


def detach(sock: socket.socket) -> None:
    """Have no filter on this socket, whoever attached one."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except OSError:
        return  # there is none, nearly always


def _part(family: int, client: str, share: float) -> bytes:
    address = socket.inet_pton(family, client.partition("%")[0])
    words = unpack(f"!{len(address) // 4}I", address)
    found = b""
    for index, word in enumerate(words):
        left = 2 * (len(words) - 1 - index) + _VERDICT
        found += _instruction(_LOAD, _NETWORK_HEADER + _SOURCE_AT[socket.AddressFamily(family)] + 4 * index)
        found += _instruction(_IF_EQUAL, word, otherwise=left)
    return (
        found
        + _instruction(_LOAD, _RANDOM)
        + _instruction(_IF_AT_LEAST, min(int(share * 2**32), _WHOLE), otherwise=1)
        + _instruction(_RETURN, _NOTHING)
        + _instruction(_RETURN, _WHOLE)
    )


def _instruction(code: int, operand: int, *, otherwise: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, 0, otherwise, operand & 0xFFFFFFFF)
