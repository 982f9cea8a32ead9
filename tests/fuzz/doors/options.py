"""Options of OPT records, from clients and from servers, and the texts in them, told on to clients.

Input: an octet that says whose, the five octets of an OPT record's size, rcode, version and flags, then the options.
"""

from collections.abc import Iterator

from resolver.message import codes
from resolver.message.answer import read_answer
from resolver.message.canonical import canonical
from resolver.message.query import MOST_OPTIONS, BadPacket, Query, read_query
from resolver.message.reply import Ede, write_failure
from tests.fuzz.replies import check_reply
from tests.unit.builders import WEB, ede_of

KEEPALIVE, EDE = 11, 15


def option(code: int, data: bytes) -> bytes:
    return code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


def seeds() -> Iterator[bytes]:
    fixed = b"\x04\xd0\0\0\x80"
    yield b"\0" + fixed + option(10, b"12345678")
    yield b"\0" + fixed + option(KEEPALIVE, b"") + option(12, b"\0" * 40) + option(8, b"\0\1\x18\0\xc6\x33\x64")
    yield b"\0" + b"\x02\x00\0\1\0"
    yield b"\1" + fixed + option(EDE, b"\0\x16no reachable authority") + option(EDE, b"\0\3")
    yield b"\1" + fixed + option(EDE, b"\0\x09" + "größer".encode() * 30)
    yield b"\1" + fixed + option(3, b"ns1") + option(EDE, b"\0") + b"\0"


def check(data: bytes) -> None:
    if len(data) < 6:
        return
    size, rest, options = data[1:3], data[3:6], data[6 : 6 + 60_000]
    opt = b"\0\0\x29" + size + rest + b"\0" + len(options).to_bytes(2, "big") + options
    if data[0] & 1:
        _check_servers(opt, options)
    else:
        _check_clients(opt, options)


def _split(options: bytes) -> list[tuple[int, bytes]] | None:
    """The options one by one; None where they do not fill the record exactly."""
    found = []
    while options:
        end = 4 + int.from_bytes(options[2:4], "big")
        if len(options) < max(end, 4):
            return None
        found.append((int.from_bytes(options[:2], "big"), options[4:end]))
        options = options[end:]
    return found


def _check_clients(opt: bytes, options: bytes) -> None:
    packet = b"ID\1\0\0\1\0\0\0\0\0\1" + WEB + opt
    try:
        query: Query | None = read_query(packet)
    except BadPacket:
        query = None
    expected = _split(options)
    assert (query is not None) == (expected is not None and len(expected) <= MOST_OPTIONS and opt[6] == 0)
    form = canonical(packet[2:])
    if query is None or expected is None:
        if form is not None and form != packet[2:]:
            raise AssertionError("a ready reply for what is no query")
        return
    assert query.edns is not None
    assert query.edns.keepalive == any(code == KEEPALIVE for code, _ in expected)
    assert query.edns.udp_bytes == max(512, int.from_bytes(opt[3:5], "big"))
    assert form is not None
    assert read_query(b"ID" + form).edns == query.edns._replace(udp_bytes=min(query.edns.udp_bytes, 1232))
    check_reply(write_failure(query, codes.SERVFAIL, Ede(22, "why"), keepalive_seconds=10.0), b"ID")


def _check_servers(opt: bytes, options: bytes) -> None:
    packet = b"ID\x81\x82\0\1\0\0\0\0\0\1" + WEB + opt
    facts = read_answer(packet, WEB).facts
    assert facts.has_opt
    assert facts.rcode == 2 | opt[5] << 4
    expected = _split(options)
    if expected is not None:
        errors = [data for code, data in expected if code == EDE and len(data) >= 2]
        first = (int.from_bytes(errors[0][:2], "big"), errors[0][2:202]) if errors else None
        assert facts.ede == first
    if facts.ede is None:
        return
    assert len(facts.ede[1]) <= 200
    asked = read_query(b"ID\1\0\0\1\0\0\0\0\0\1" + WEB + b"\0\0\x29\x04\xd0\0\0\0\0\0\0")
    reply = write_failure(asked, codes.SERVFAIL, Ede(facts.ede[0], facts.ede[1].decode("utf-8", "replace")))
    check_reply(reply, b"ID")
    assert len(reply) <= 512
    assert ede_of(reply) is not None
