"""Is the node still as it was set up? Asked every half second, so in microseconds and without a library.

An address is there if the kernel would use it to talk to itself: connecting a UDP socket to it sends nothing and picks
that very source. This holds for whatever can be wrong (device gone, down, address removed), also where
net.ipv4.ip_nonlocal_bind lets anyone bind anything. The rules are counted by one netlink request that names our table.
"""

import errno
import os
import socket
from struct import Struct

_NETLINK_NETFILTER = 12  # <linux/netlink.h>, as all of these up to the attribute from <linux/netfilter/nf_tables.h>
_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port; all in the byte order of the machine
_ATTRIBUTE = Struct("=HH")  # length, type
_CODE = Struct("=i")
_REQUEST_DUMP = 0x301
_ERROR, _DONE = 2, 3
_NEW_RULE, _GET_RULE = 0x0A06, 0x0A07
_INET = b"\1\0\0\0"  # nfgenmsg: family NFPROTO_INET, version, resource
_RULE_TABLE = 1
_BATCH_BYTES = 64 * 1024
_ANY_PORT = 53
_SECONDS = 1.0


def is_local(address: str) -> bool:
    """Whether this machine has the address and can be reached at it."""
    try:
        # As bytes: text would bring the tables of the IDNA codec into memory.
        family, _, _, _, place = socket.getaddrinfo(
            address.encode(), _ANY_PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(place)
            return bool(sock.getsockname()[0] == place[0])
    except OSError:
        return False


def has_device(name: str) -> bool:
    """Whether there is a network device of this name."""
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def count_rules(table: str) -> int:
    """How many rules the table (family inet) has, 0 if there is none; raises OSError, EPERM without CAP_NET_ADMIN."""
    name = table.encode() + b"\0"
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(name), _RULE_TABLE) + name + bytes(-len(name) % 4)
    length = _HEADER.size + len(_INET) + len(attribute)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as sock:
        sock.settimeout(_SECONDS)
        sock.send(_HEADER.pack(length, _GET_RULE, _REQUEST_DUMP, 1, 0) + _INET + attribute)
        rules = 0
        while True:
            found, over = _read(sock.recv(_BATCH_BYTES))
            rules += found
            if over:
                return rules


def _read(batch: bytes) -> tuple[int, bool]:
    """The rules in one batch of messages, and whether it is the last; raises the OSError that the kernel reports."""
    rules = at = 0
    while at + _HEADER.size <= len(batch):
        length, kind, _, _, _ = _HEADER.unpack_from(batch, at)
        if kind == _DONE:
            return rules, True
        if kind == _ERROR:
            code = -_CODE.unpack_from(batch, at + _HEADER.size)[0]
            if code == errno.ENOENT:
                return rules, True
            raise OSError(code, os.strerror(code))
        rules += kind == _NEW_RULE
        at += max(_HEADER.size, (length + 3) & ~3)
    return rules, False
