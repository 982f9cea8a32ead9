"""One form for all queries that get the same reply: what differs between clients, and never shows, is left out.

Clients spell the same question in many ways: letters in random case, a cookie or padding of their own, flags that mean
nothing in a query. None of that changes more of a reply than the letters in its question. Ready replies are kept
under the canonical form only, so that they are found by all, and so that nobody can fill memory with spellings.
"""

from typing import Final

from resolver.message import codes
from resolver.message.query import MAX_NAME_BYTES, MOST_OPTIONS

# Everything here is of a query without its ID, its tail.
QUESTION_AT: Final = 10
_SHORTEST = QUESTION_AT + 5  # the question for the root
_QUESTION_ONLY = b"\0\1\0\0\0\0\0\0"  # the four counts
_WITH_OPT = b"\0\1\0\0\0\0\0\1"
_NOT_A_QUERY = (codes.QR | codes.OPCODE) >> 8
_RD = codes.RD >> 8
_SHOWN_FLAGS = codes.AD | codes.CD
_OPT_OWNER_TYPE = b"\0\0\x29"
_OPT_BYTES = 11
_KEEPALIVE = b"\0\4\0\x0b\0\0"  # RDLENGTH, then the option without data
_HEADERS = {
    (high, low, counts): bytes((high, low)) + counts
    for high in (0, _RD)
    for low in (0, codes.AD, codes.CD, _SHOWN_FLAGS)
    for counts in (_QUESTION_ONLY, _WITH_OPT)
}
_PLAIN = frozenset(header for header in _HEADERS.values() if header.endswith(_QUESTION_ONLY))


def canonical(tail: bytes) -> bytes | None:
    """The form of a query's bytes after the ID under which its reply is kept; `tail` itself if it has that form.

    None: an unusual query, or none at all. That a form is returned does not make the bytes a query: only a form that
    equals the one of a query that was read does. Why that is enough: a form has the length octets of its bytes (lower()
    changes none that is valid, below 64, and makes none valid), so the names in two equal forms end at the same place,
    and then both are queries or none is. Options are read here, as strictly as in `query`, as they leave no trace.
    """
    if len(tail) < _SHORTEST:
        return None
    header = tail[:QUESTION_AT]
    if header in _PLAIN:  # nearly always
        name = tail[QUESTION_AT : len(tail) - 4]
        lower = name.lower()
        return tail if name == lower else header + lower + tail[-4:]
    counts = header[2:]
    if tail[0] & _NOT_A_QUERY:
        return None
    if counts == _QUESTION_ONLY:
        end, opt = len(tail), b""
    elif counts == _WITH_OPT:
        end = _question_end(tail)
        opt = _canonical_opt(tail, end)
        if not opt:
            return None
    else:
        return None
    header = _HEADERS[tail[0] & _RD, tail[1] & _SHOWN_FLAGS, counts]
    # Only the name is folded: a type such as HTTPS (0x0041) holds the byte of a letter.
    return header + tail[QUESTION_AT : end - 4].lower() + tail[end - 4 : end] + opt


def respelled(reply: bytes, query: bytes, question_bytes: int) -> bytes:
    """The reply to `query` (a whole packet) made of one without its ID to another spelling of the same question."""
    end = QUESTION_AT + question_bytes
    return query[:2] + reply[:QUESTION_AT] + query[2 + QUESTION_AT : 2 + end] + reply[end:]


def _question_end(tail: bytes) -> int:
    """Where the question ends; beyond the end of `tail` where it has no end."""
    offset, end = QUESTION_AT, min(len(tail), QUESTION_AT + MAX_NAME_BYTES)
    while offset < end:
        length = tail[offset]
        if length == 0:
            return offset + 5
        offset += length + 1
    return len(tail) + 5


def _canonical_opt(tail: bytes, offset: int) -> bytes:
    """An OPT record that asks for the same, if from `offset` on there is one and nothing else; otherwise empty."""
    data = offset + _OPT_BYTES
    if len(tail) < data or tail[offset : offset + 3] != _OPT_OWNER_TYPE or tail[offset + 6] != 0:
        return b""
    if data + (tail[data - 2] << 8 | tail[data - 1]) != len(tail):
        return b""
    keepalive = False
    options = 0
    while data < len(tail):
        options += 1
        if options > MOST_OPTIONS or data + 4 > len(tail):
            return b""
        keepalive = keepalive or tail[data : data + 2] == b"\0\x0b"
        data += 4 + (tail[data + 2] << 8 | tail[data + 3])
    if data != len(tail):
        return b""
    size = tail[offset + 3] << 8 | tail[offset + 4]
    size = min(max(size, codes.PLAIN_UDP_BYTES), codes.EDNS_UDP_BYTES)
    dnssec_ok = tail[offset + 7] & 0x80
    shown = _KEEPALIVE if keepalive else b"\0\0"
    return _OPT_OWNER_TYPE + bytes((size >> 8, size & 0xFF, 0, 0, dnssec_ok, 0)) + shown
