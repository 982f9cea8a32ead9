"""Packets that are none, from clients and from servers, thrown at a real resolver: it answers as the RFCs say or keeps
silent, goes on answering others, and neither its memory nor its log grows with what is thrown at it.
"""

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from resolver.message.framing import frame
from resolver.message.query import BadPacket, read_query
from tests.cases.recorded import QUERIES, damaged_answers, flips, question_of, truncations
from tests.lab.ask import question, read_message
from tests.lab.hostile import Hostile, address_answer, hostile
from tests.lab.loopback import PATIENT, Running, Upstream, ask_once, configuration, running, upstream
from tests.lab.waiting import wait_until
from tests.unit.builders import query_packet
from tests.unit.walker import Message, walk

FORMERR, SERVFAIL = 1, 2
WAVE = 200
GROWTH_BYTES = 12 << 20
"""Of a resolver that has met thousands of new names meanwhile and keeps their answers."""
LOGGED = 40
"""Lines: servers that go down and come back; never one for each packet."""

_fresh = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture(scope="module")
def good() -> Iterator[Upstream]:
    with upstream() as found:
        yield found


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory, server: Hostile, good: Upstream) -> Iterator[Running]:
    config: dict[str, Any] = configuration(good)
    place = f"127.0.0.1:{server.port}"
    config["zones"] = [
        {"names": ["shop"], "upstreams": [f"127.0.0.1:{good.port}"], "transport": "udp", **PATIENT},
        {"names": ["."], "upstreams": [place], "transport": "udp"},
        {"names": ["tcp.test"], "upstreams": [place], "transport": "tcp"},
        {"names": ["tls.test"], "upstreams": [place], "transport": "tls"},
    ]
    with running(tmp_path_factory.mktemp("malformed"), config) as found:
        yield found


@pytest.fixture(autouse=True)
def unharmed(resolver: Running, server: Hostile) -> Iterator[None]:
    """After each test it answers known and new names, has met no defect, and has not grown."""
    ask_once(resolver.config["listen"]["port"], "known.shop")
    workers, memory, logged = resolver.workers(), resident_bytes(resolver), lines(resolver)
    yield
    server.say, server.talk = lambda _: [], server._answer
    for name in ("known.shop", f"new-{next(_fresh)}.shop"):
        assert walk(ask_once(resolver.config["listen"]["port"], name)).section("answer")
    assert resolver.workers() == workers, "the worker that was there is there"
    assert resolver.metric("coredns_panics_total") == 0
    assert resident_bytes(resolver) <= memory + GROWTH_BYTES
    assert lines(resolver) <= logged + LOGGED
    assert not resolver.events("traceback")


def resident_bytes(resolver: Running) -> int:
    (worker,) = resolver.workers()
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * 4096


def lines(resolver: Running) -> int:
    return len(resolver.log.read_text().splitlines())


@contextlib.contextmanager
def client(resolver: Running) -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.connect(("127.0.0.1", resolver.config["listen"]["port"]))
        yield sock


@contextlib.contextmanager
def stream_to(resolver: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", resolver.config["listen"]["port"]), 10) as sock:
        yield sock


def expected_rcode(packet: bytes) -> int | None:
    """What the sender is to be told of a packet that is no query (-1: it is one); None: nothing at all."""
    try:
        read_query(packet)
    except BadPacket as rejection:
        return rejection.rcode
    return -1


def said_to(resolver: Running, packets: Iterable[bytes]) -> dict[int, Message]:
    """What comes back for packets, by the number that each gets as its ID; nothing is waited for that may not come."""
    replies: dict[int, Message] = {}
    with client(resolver) as sock:
        wave: list[bytes] = []
        for number, packet in enumerate(packets):
            numbered = number.to_bytes(2, "big") + packet[2:] if len(packet) >= 2 else packet
            wave.append(numbered)
            if len(wave) == WAVE:
                exchange(sock, wave, replies)
                wave.clear()
        exchange(sock, wave, replies)
    return replies


def exchange(sock: socket.socket, wave: list[bytes], replies: dict[int, Message]) -> None:
    """Send packets, and a question that is known: its reply comes when the packets before it are read."""
    for packet in wave:
        sock.send(packet)
    last = b"\xff\xff" + question("known.shop")[2:]
    sock.send(last)
    owed = {int.from_bytes(packet[:2], "big") for packet in wave if expected_rcode(packet) is not None}
    owed.add(0xFFFF)
    while owed:
        message = walk(sock.recv(65535))
        assert message.id in owed, "one reply each"
        owed.discard(message.id)
        replies[message.id] = message


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_damaged_queries_get_what_the_rfcs_say_or_nothing(resolver: Running, server: Hostile, damage: str) -> None:
    server.say = lambda query: [address_answer(query)] if query[-4:] else []
    packets = [
        each
        for number, packet in enumerate(QUERIES.values())
        for each in (truncations(packet) if damage == "truncated" else flips(packet, first=2, step=5 + number % 3))
    ]
    replies = said_to(resolver, packets)
    for number, packet in enumerate(packets):
        expected = expected_rcode(packet)
        reply = replies.get(number)
        assert (reply is None) == (expected is None)
        if reply is not None and expected is not None:
            assert reply.flags & 0x8000
            assert expected == -1 or reply.flags & 0xF == expected & 0xF
    assert len(packets) > 1000


@pytest.mark.parametrize(
    ("stream", "replies"),
    [
        pytest.param(b"\0\0", 0, id="an empty frame"),
        pytest.param(b"\0\0" * 5000, 0, id="5,000 of them"),
        pytest.param(b"\xff\xff" + b"\xaa" * 0xFFFF, 0, id="65,535 octets that are a response"),
        pytest.param(b"\xff\xff" + query_packet("a.shop") + bytes(0xFFFF - 24), 1, id="a query of 65,535 octets"),
        pytest.param(frame(query_packet("a.shop"))[:-3], 0, id="half a query and the end"),
        pytest.param(frame(query_packet("a.shop")) + b"\0\1x", 1, id="a query, then a frame of one octet"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: resolver\r\n\r\n", 0, id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03" + bytes(508), 0, id="TLS"),
    ],
)
def test_streams_that_are_no_messages_end(resolver: Running, stream: bytes, replies: int) -> None:
    with stream_to(resolver) as sock:
        received = []
        with contextlib.suppress(OSError):  # it may end the connection earlier
            sock.sendall(stream)
            sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while message := read_message(sock):
                received.append(walk(message))
    assert len(received) == replies
    assert all(message.flags & 0x8000 for message in received)


def test_a_query_in_single_octets_is_answered_and_so_is_the_next_one(resolver: Running) -> None:
    with stream_to(resolver) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name in ("known.shop", "known.shop"):
            for octet in frame(query_packet(name)):
                sock.send(bytes((octet,)))
            assert walk(read_message(sock)).section("answer")


def test_clients_that_break_off_in_mid_query_leave_nothing_behind(resolver: Running) -> None:
    before = resolver.metric("nodelocaldns_tcp_connections")
    for _ in range(300):
        with stream_to(resolver) as sock:
            sock.send(frame(query_packet("known.shop"))[:9])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: resolver.metric("nodelocaldns_tcp_connections") <= before, "connections that are gone")


def test_damaged_answers_are_served_as_far_as_they_are_answers_and_otherwise_servfail(
    resolver: Running, server: Hostile
) -> None:
    answers = dict(damaged_answers())
    folded = {asked[:-4].lower() + asked[-4:]: packet for asked, packet in answers.items()}

    def say(query: bytes) -> list[bytes]:
        packet = folded.get(question_of(query))
        return [] if packet is None else [query[:2] + packet[2:]]

    server.say = say
    queries = [b"\0\0\1\0\0\1\0\0\0\0\0\0" + asked for asked in answers if asked[-2:] == b"\0\1"]
    replies = said_to(resolver, queries)
    rcodes = [reply.flags & 0xF for number, reply in sorted(replies.items()) if number < len(queries)]
    assert len(rcodes) == len(queries)
    assert SERVFAIL in rcodes
    assert 0 in rcodes
    assert FORMERR not in rcodes, "it is no fault of the client"


GARBAGE = {
    "nothing": lambda stream: None,
    "plain DNS": lambda stream: stream.sendall(frame(address_answer(query_packet("a.tls.test")))),
    "HTTP": lambda stream: stream.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "an alert": lambda stream: stream.sendall(b"\x15\x03\x03\0\2\2\x28"),
    "random octets": lambda stream: stream.sendall(random.Random(1).randbytes(5000)),
    "half a ServerHello": lambda stream: stream.sendall(b"\x16\x03\x03\0\x7a\2\0\0\x76\3\3" + bytes(40)),
    "a ServerHello of 16 MiB": lambda stream: stream.sendall(b"\x16\x03\x03\x40\0\2\xff\xff\xff" + bytes(0x3FFC)),
}


@pytest.mark.parametrize("talk", GARBAGE.values(), ids=GARBAGE)
def test_a_server_that_talks_garbage_instead_of_tls_is_servfail(resolver: Running, server: Hostile, talk: Any) -> None:
    def hear_and_talk(stream: socket.socket) -> None:
        stream.recv(4096)
        talk(stream)
        while stream.recv(4096):
            pass

    server.talk = hear_and_talk
    reply = walk(ask_once(resolver.config["listen"]["port"], f"n{next(_fresh)}.tls.test"))
    assert reply.flags & 0xF == SERVFAIL


def endless_frames(stream: socket.socket) -> None:
    while True:
        stream.sendall(frame(address_answer(query_packet("x.tcp.test"), ident=b"\0\0")) * 100)


def endless_zeros(stream: socket.socket) -> None:
    while True:
        stream.sendall(bytes(65536))


def one_octet_after_the_other(stream: socket.socket) -> None:
    query = read_message(stream)
    stream.sendall(b"\xff\xff" + query[:2])
    while query:
        stream.sendall(b"\x81")
        time.sleep(0.001)  # each on its own: the pace is what this server is


def large_answers(stream: socket.socket) -> None:
    query = read_message(stream)
    while query:
        stream.sendall(frame(address_answer(query, ident=b"zz") + bytes(65000)))


@pytest.mark.parametrize("talk", [endless_frames, endless_zeros, one_octet_after_the_other, large_answers])
def test_a_server_that_sends_without_end_is_cut_off_and_its_question_ends(
    resolver: Running, server: Hostile, talk: Any
) -> None:
    server.talk = talk
    before = server.ended
    port = resolver.config["listen"]["port"]
    for _ in range(2):
        assert walk(ask_once(port, f"n{next(_fresh)}.tcp.test")).flags & 0xF == SERVFAIL
        assert walk(ask_once(port, "known.shop")).section("answer")
    wait_until(lambda: server.ended > before, "a connection that is cut off")


def test_an_answer_over_udp_that_is_longer_than_any_is_a_bad_packet(resolver: Running, server: Hostile) -> None:
    server.say = lambda query: [address_answer(query) + bytes(60_000)]
    reply = walk(ask_once(resolver.config["listen"]["port"], f"n{next(_fresh)}.test"))
    assert len(reply.records) <= 1
