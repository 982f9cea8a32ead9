"""Answers that are wrong, on real sockets: they are ignored, and the right one that comes later is used (RFC 5452)."""

import socket
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest

from resolver.message import codes
from resolver.message.framing import frame
from tests.cases.recorded import question_of
from tests.lab.ask import question, read_message
from tests.lab.hostile import Hostile, address_answer, hostile
from tests.lab.loopback import PATIENCE_SECONDS, PATIENT, Running, ask_once, configuration, running, upstream
from tests.lab.waiting import wait_until
from tests.unit.walker import walk

RIGHT, WRONG = 1, 66
BANK = b"\4bank\4shop\0"
ASKED = 400

_fresh = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory, server: Hostile) -> Iterator[Running]:
    with upstream() as unused:
        config = configuration(unused)
    place = f"127.0.0.1:{server.port}"
    config["zones"] = [
        {"names": ["."], "upstreams": [place], "transport": "udp", **PATIENT},
        {"names": ["tcp.test"], "upstreams": [place], "transport": "tcp", **PATIENT},
    ]
    with running(tmp_path_factory.mktemp("wrong"), config) as found:
        yield found


def addresses(resolver: Running, name: str) -> list[bytes]:
    """The addresses that a client gets."""
    reply = walk(ask_once(resolver.config["listen"]["port"], name))
    return [record.data for record in reply.section("answer")]


def ignored(resolver: Running) -> float:
    return resolver.metric("nodelocaldns_upstream_ignored_packets_total")


def other_id(query: bytes) -> bytes:
    return bytes((query[0] ^ 0x80, query[1]))


WRONG_ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "another ID": lambda query: address_answer(query, WRONG, ident=other_id(query)),
    "another name": lambda query: address_answer(query, WRONG, name=BANK),
    "another type": lambda query: address_answer(query[: query.index(b"\0", 12)] + b"\0\0\x1c\0\1", WRONG),
    "a query": lambda query: query[:2] + b"\1\0" + address_answer(query, WRONG)[4:],
    "no question": lambda query: query[:2] + b"\x81\x80\0\0\0\1\0\0\0\0" + address_answer(query, WRONG)[-16:],
    "two questions": lambda query: (
        query[:2] + b"\x81\x80\0\2\0\1\0\0\0\0" + question_of(query) * 2 + address_answer(query, WRONG)[-16:]
    ),
    "an ID and nothing else": lambda query: query[:2],
}


@pytest.mark.parametrize("suffix", ["test", "tcp.test"], ids=["udp", "tcp"])
@pytest.mark.parametrize("wrong", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_what_answers_something_else_is_ignored_and_the_right_answer_after_it_is_used(
    resolver: Running, server: Hostile, suffix: str, wrong: Callable[[bytes], bytes]
) -> None:
    before = ignored(resolver)
    server.say = lambda query: [wrong(query), wrong(query), address_answer(query, RIGHT)]
    assert addresses(resolver, f"n{next(_fresh)}.{suffix}") == [bytes((10, 0, 0, RIGHT))]
    assert ignored(resolver) == before + 2


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"], ids=["another port", "another address"])
def test_what_comes_from_somewhere_else_is_never_heard(resolver: Running, server: Hostile, source: str) -> None:
    """With everything right but where it comes from; from another address even at the server's port."""
    with socket.socket(type=socket.SOCK_DGRAM) as forger:
        forger.bind((source, 0 if source == "127.0.0.1" else server.port))
        heard: list[int] = []

        def say(query: bytes) -> list[bytes]:
            forged = address_answer(query, WRONG)
            heard.extend(forger.sendto(forged, ("127.0.0.1", port)) for port in ports_in_use())
            return [address_answer(query, RIGHT)]

        before = ignored(resolver)
        server.say = say
        assert addresses(resolver, f"n{next(_fresh)}.test") == [bytes((10, 0, 0, RIGHT))]
        assert heard, "the resolver's port was among them"
        assert ignored(resolver) == before


def ports_in_use() -> list[int]:
    """The UDP ports of this network that are connected to somebody."""
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return [int(words[1].rpartition(":")[2], 16) for words in lines if words[2] != "00000000:0000"]


def test_a_connection_with_wrong_answers_before_the_right_one_stays_in_use(resolver: Running, server: Hostile) -> None:
    streams: list[socket.socket] = []

    def talk(stream: socket.socket) -> None:
        streams.append(stream)
        while query := read_message(stream):
            for packet in (address_answer(query, WRONG, ident=other_id(query)), address_answer(query, RIGHT)):
                stream.sendall(frame(packet))

    server.talk = talk
    before = server.ended
    for _ in range(3):
        assert addresses(resolver, f"n{next(_fresh)}.tcp.test") == [bytes((10, 0, 0, RIGHT))]
    assert server.ended <= before + 1
    server.talk = server._answer
    for stream in streams:
        stream.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: server.ended >= before + len(streams), "the end of connections that talk so")


@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
def test_records_of_other_names_that_come_along_are_remembered_nowhere(
    resolver: Running, server: Hostile, section: str
) -> None:
    record = BANK + b"\0\1\0\1\0\0\0\x1e\0\4\x0a\0\0" + bytes((WRONG,))
    counts = {"answer": b"\0\2\0\0\0\0", "authority": b"\0\1\0\1\0\0", "additional": b"\0\1\0\0\0\1"}[section]

    def say(query: bytes) -> list[bytes]:
        answer = address_answer(query, RIGHT)
        return [answer[:6] + counts + answer[12:] + record]

    bank = f"bank{next(_fresh)}"
    record = bytes((len(bank),)) + bank.encode() + b"\4shop" + record[len(BANK) - 1 :]
    server.say = say
    assert addresses(resolver, f"n{next(_fresh)}.shop")[0] == bytes((10, 0, 0, RIGHT))
    server.say = lambda query: [address_answer(query, RIGHT)]
    asked = len(server.asked)
    assert addresses(resolver, f"{bank}.shop") == [bytes((10, 0, 0, RIGHT))], "what its own server says"
    assert len(server.asked) == asked + 1


def aliases(query: bytes, links: int, last: bytes) -> bytes:
    """The answer that leads from the name asked for over `links` aliases to `last` (wire form)."""
    places = [b"\xc0\x0c", *(b"\4" + f"{link:04}".encode() + b"\5alias\0" for link in range(1, links)), last]
    records = [
        owner + b"\0\5\0\1\0\0\0\x1e" + len(target).to_bytes(2, "big") + target for owner, target in pairwise(places)
    ]
    counts = len(records).to_bytes(2, "big") + bytes(4)
    return query[:2] + b"\x81\x80\0\1" + counts + question_of(query) + b"".join(records)


@pytest.mark.parametrize(
    ("links", "last"),
    [
        pytest.param(1, b"\xc0\x0c", id="a name that is an alias of itself"),
        pytest.param(2, b"\xc0\x0c", id="two names that are aliases of each other"),
        pytest.param(500, b"\xc0\x0c", id="a loop of 500"),
        pytest.param(1000, BANK, id="a chain of 1,000 that leads nowhere"),
    ],
)
def test_aliases_are_told_as_they_came_and_followed_nowhere(
    resolver: Running, server: Hostile, links: int, last: bytes
) -> None:
    """A forwarder asks one question per question; whoever wants to know where an alias leads asks for that."""
    server.say = lambda query: [aliases(query, links, last)]
    asked = len(server.asked)
    with socket.create_connection(("127.0.0.1", resolver.config["listen"]["port"]), PATIENCE_SECONDS) as stream:
        for _ in range(2):
            packet = question(f"n{links}-{last[0]}.tcp.test")
            stream.sendall(frame(packet))
            reply = walk(read_message(stream))
            assert [record.rtype for record in reply.section("answer")] == [codes.CNAME] * links
            assert reply.flags & 0xF == 0
    # Without an address or a SOA record nothing is remembered.
    assert len(server.asked) == asked + 2


def test_ports_and_ids_are_spread_over_all_there_are(resolver: Running, server: Hostile) -> None:
    """The kernel chooses ports; IDs come from its generator, too (tests/unit/upstream/test_ids.py)."""
    server.say = lambda query: [address_answer(query, RIGHT)]
    ports: list[int] = []
    ids: list[int] = []

    def heard(query: bytes, port: int) -> None:
        ports.append(port)
        ids.append(int.from_bytes(query[:2], "big"))

    server.heard = heard
    for _ in range(ASKED):
        addresses(resolver, f"n{next(_fresh)}.test")
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for found, low, high in ((ports, first, last), (ids, 0, 0xFFFF)):
        assert len(found) == ASKED
        assert len(set(found)) > ASKED * 0.95
        eighths = [0] * 8
        for each in found:
            eighths[(each - low) * 8 // (high - low + 1)] += 1
        assert min(eighths) > ASKED / 8 / 4, "all parts of the range"
        assert len({later - earlier for earlier, later in pairwise(found)}) > ASKED * 0.9, "and no step that repeats"


def test_a_question_is_asked_with_nothing_in_it_that_the_client_has_chosen_but_the_question(
    resolver: Running, server: Hostile
) -> None:
    """A client that knows the ID and guesses the port could answer itself."""
    server.say = lambda query: [address_answer(query, RIGHT)]
    ids = []
    for _ in range(8):
        packet = question(f"n{next(_fresh)}.test")
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_SECONDS)
            sock.connect(("127.0.0.1", resolver.config["listen"]["port"]))
            sock.send(b"\x12\x34" + packet[2:])
            assert sock.recv(512)[:2] == b"\x12\x34"
        ids.append(server.asked[-1][:2])
    assert ids.count(b"\x12\x34") <= 1
    assert len(set(ids)) > 6
