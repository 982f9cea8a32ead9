"""The dearest packets that anybody has thought of (benchmarks/worst.py measures them): all as long as they may be."""

from collections.abc import Callable
from typing import Final

QUESTION: Final = b"\3web\4shop\0\0\1\0\1"
TEXT_QUESTION: Final = QUESTION[:-4] + b"\0\x10\0\1"
"""To this, most of `answers` have a record."""
COMPLETED: Final = b"\3web\4shop\2ns\3svc\7cluster\5local\0\0\1\0\1"
_UDP_BYTES = 1232
_TCP_BYTES = 4096
LONGEST: Final = b"".join(b"\1" + bytes((97 + number % 26,)) for number in range(126)) + b"\0"
_FIRST_DATA = 12 + len(QUESTION) + 12
_TINY = b"\0\x10\0\1\0\0\0\x1e\0\0"
"""A record behind its owner: TXT, IN, 30 seconds, no data."""


def varied(packet: bytes) -> Callable[[int], bytes]:
    """The packet with other octets at its end each time, where it ends in four that say nothing."""
    if not packet.endswith(b"vary"):
        return lambda _: packet
    return lambda number: packet[:-4] + number.to_bytes(4, "big")


def queries(*, tcp: bool) -> dict[str, bytes]:
    """Of clients."""
    room = _TCP_BYTES if tcp else _UDP_BYTES
    many = (room - 60) // 4
    records = (room - 60) // 11
    longest = LONGEST + b"\0\1\0\1"
    wide = min(7, (room - 60) // 265)
    return {
        "a name of 126 labels": _query(longest),
        "the same with options": _query(longest, _opt(30)),
        "as many options as are read": _query(QUESTION, _opt(31)),
        "as many options as there is room for": _query(QUESTION, _opt(many)),
        "as many records as are read": _query(QUESTION, (b"\0" + _TINY) * 7 + _last(), records=8),
        "records with the longest names": _query(QUESTION, (LONGEST + _TINY) * wide + _last(), records=wide + 1),
        "as many records as there is room for": _query(QUESTION, (b"\0" + _TINY) * records, records=records),
        "a name that has no end": _query(b"\1a" * ((room - 12) // 2)),
        "labels that are refused at the end": _query(LONGEST[:-1] + b"\xc0\x0c\0\1\0\1"),
        "nothing but zeros behind a header": _query(bytes(room - 12)),
    }


def _query(question: bytes, more: bytes = b"", records: int = 1) -> bytes:
    return b"ID\1\0\0\1\0\0\0\0" + (records if more else 0).to_bytes(2, "big") + question + more


def _opt(options: int) -> bytes:
    data = b"\0\x0a\0\0" * options + b"\0\x0c\0\4vary"
    return b"\0\0\x29\x04\xd0\0\0\0\0" + len(data).to_bytes(2, "big") + data


def _last() -> bytes:
    return b"\0" + _TINY[:-1] + b"\4vary"


def answers(room: int = 65_535) -> dict[str, bytes]:
    """Of servers, to QUESTION; as long as may be."""
    chain = b"\1a\0" + b"".join(_pointer(_FIRST_DATA if not link else _FIRST_DATA + 1 + 2 * link) for link in range(30))
    chained = _pointer(_FIRST_DATA + 61)
    letters = b"\1a" * 120 + b"\0"
    wide = letters * min(60, room // 1000)
    most = room - 200
    small, pointed = most // 11, (most - len(letters)) // 12
    addresses, authorities = most // 16, (most - len(chain)) // 36
    each = min((most - len(wide)) // 12, 65 * len(wide) // 241)
    places = [_FIRST_DATA + 241 * (at % (len(wide) // 241)) + 2 * (at * 241 // len(wide) % 100) for at in range(each)]
    soa = b"\xc0\x0c\0\6\0\1\0\0\0\x1e\0\x18" + chained * 2 + bytes(20)
    options = most // 4
    return {
        "as many addresses as there is room for": _answer(b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4abcd" * addresses, addresses),
        "records without owner and data": _answer((b"\0" + _TINY) * small, small),
        "the same, additional": _answer((b"\0" + _TINY) * small, 0, 0, small),
        "owners at the end of a chain of 30 pointers": _answer(
            _txt(chain) + (chained + _TINY) * (pointed - 5), pointed - 4
        ),
        "owners of 120 labels, pointed to": _answer(
            _txt(letters) + (_pointer(_FIRST_DATA) + _TINY) * pointed, pointed + 1
        ),
        "owners of 120 labels, each at another place": _answer(
            _txt(wide) + b"".join(_pointer(place) + _TINY for place in places), each + 1
        ),
        "SOA records with two chains each": _answer(_txt(chain) + soa * authorities, 1, authorities),
        "options and nothing else": _answer(
            b"\0\0\x29\4\xd0\0\0\0\0" + (4 * options).to_bytes(2, "big") + b"\0\x0f\0\0" * options, 0, 0, 1
        ),
        "one text": _answer(_txt(bytes(most)), 1),
    }


def _pointer(place: int) -> bytes:
    return (0xC000 | place).to_bytes(2, "big")


def _txt(data: bytes) -> bytes:
    return b"\xc0\x0c\0\x10\0\1\0\0\0\x1e" + len(data).to_bytes(2, "big") + data


def _answer(records: bytes, *counts: int) -> bytes:
    header = b"".join(number.to_bytes(2, "big") for number in (1, *counts, 0, 0, 0)[:4])
    return b"ID\x81\x80" + header + QUESTION + records
