"""A client's TCP stream, cut anywhere: what is answered depends on its octets and not on how they arrive.

One connection gets the stream whole, another in pieces; both have an engine of their own and the same servers. A third
engine is asked the messages one by one, as far as they are messages: the replies are the same.

Input: four octets that say where to cut, then the stream.
"""

from asyncio import AbstractEventLoop
from collections.abc import Iterator
from typing import Any, cast

from resolver.config import Cache
from resolver.listen import connection, tcp
from resolver.listen.clients import TcpClients
from resolver.listen.connection import Connection, TcpLimits
from resolver.listen.tcp import READ_BYTES, TcpListener
from resolver.message import codes
from resolver.message.query import HEADER_BYTES
from tests.cases.recorded import QUERIES
from tests.fuzz.cuts import pieces, unframed
from tests.fuzz.doors.client import QUESTION_STEPS, STEP_SECONDS, never_contained
from tests.fuzz.replies import check_reply
from tests.fuzz.wire import Wire
from tests.unit.builders import framed
from tests.unit.listen.behind import ANSWERS, answer_all
from tests.unit.walker import walk
from tests.unit.world import World, zone

LIMITS = TcpLimits()
CLIENT = "10.1.0.7"


def seeds() -> Iterator[bytes]:
    queries = list(QUERIES.values())
    yield b"\0\0\0\0" + framed(*queries[:3])
    yield b"\1\2\3\4" + framed(*queries[3:9])
    yield b"\x40\x40\x40\x40" + framed(*queries)
    names = [b"ID\1\0\0\1\0\0\0\0\0\0" + bytes((len(each),)) + each + b"\4shop\0\0\1\0\1" for each in ANSWERS]
    yield b"\x0d\0\0\0" + framed(*names, *names)
    yield b"\xff\xff\xff\xff" + framed(b"") + framed(queries[0])
    yield b"\xff\xff\xff\xff" + framed(queries[0] + b"\0" * 5000) + framed(queries[0])


class Server:
    """A resolver with one connection of a client."""

    def __init__(self) -> None:
        self.world = World(zone(".", serve_stale_seconds=20.0), cache=Cache()._replace(prefetch=False))
        loop = cast("AbstractEventLoop", self.world.loop)
        via = self.world.engine.via(tcp=True, family=4)
        self.listener = TcpListener(loop, cast("Any", None), self.world.engine, via, TcpClients(LIMITS))
        self.connect()

    def connect(self) -> None:
        """Go on with a new connection."""
        self.wire = Wire(CLIENT)
        self.connection = Connection(self.listener)
        self.connection.connection_made(cast("Any", self.wire))

    def say(self, data: bytes) -> None:
        while data and not self.wire.closed:
            piece, data = data[:READ_BYTES], data[READ_BYTES:]
            self.listener.read_buffer[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))
            self.settle()
            assert self.wire.reading or self.connection._finishing_since is not None
            assert len(self.connection._frames._held) <= LIMITS.query_bytes + 2, "no more than one unfinished query"

    def settle(self) -> None:
        """Servers answer, or are silent until the question's time is over; what is owed is sent."""
        for _ in range(QUESTION_STEPS * LIMITS.in_flight):
            answer_all(self.world.waiting_sends)
            self.world.go(0)
            if not self.connection._in_flight:
                return
            self.world.go(STEP_SECONDS)
        raise AssertionError("a question is not over when its time is")


def keep_time(world: World) -> None:
    """Connections go by the clock of this world from now on, in this process."""
    for module in (connection, tcp):
        module.monotonic = lambda: world.now  # type: ignore[attr-defined]


def check(data: bytes) -> None:
    stream, cut = pieces(data[:40_000])
    never_contained()
    whole, parts = Server(), Server()
    for server, said in ((whole, [stream]), (parts, cut)):
        keep_time(server.world)
        for piece in said:
            server.say(piece)
        server.connection.eof_received()
        server.settle()
        assert server.wire.closed, "nothing is owed, so the connection ends"
    one, other = (unframed(bytes(server.wire.written)) for server in (whole, parts))
    queries, clean = _messages(stream)
    expected = _replies(queries)
    assert len(one) == len(other) == len(expected)
    for replies in (one, other):
        for got, wanted in zip(_sorted(replies), _sorted(expected), strict=True):
            check_reply(got, wanted)
            assert got == wanted or _timeless(got) == _timeless(wanted)
    assert (
        clean
        or whole.listener.ended[connection.Ending.NO_MESSAGE] == parts.listener.ended[connection.Ending.NO_MESSAGE]
    )


def _messages(stream: bytes) -> tuple[list[bytes], bool]:
    """The messages up to the first that is none, each as much of it as is kept; whether all were messages."""
    messages: list[bytes] = []
    while len(stream) >= 2:
        length = int.from_bytes(stream[:2], "big")
        kept = min(length, LIMITS.query_bytes)
        if len(stream) < 2 + kept:
            break
        if length < HEADER_BYTES:
            return messages, False
        messages.append(stream[2 : 2 + kept])
        stream = stream[2 + length :]
    return messages, True


def _replies(queries: list[bytes]) -> list[bytes]:
    world = World(zone(".", serve_stale_seconds=20.0), cache=Cache()._replace(prefetch=False))
    replies = []
    for query in queries:
        asked = world.ask(query, tcp=True, client=CLIENT)
        while not asked.replies and not asked.dropped:
            answer_all(world.waiting_sends)
            world.go(0 if asked.replies else 1.0)
        replies += asked.replies
    return replies


def _timeless(reply: bytes) -> tuple[object, ...]:
    """A reply without the order of its records and their TTLs: the pieces of a stream take their time."""
    message = walk(reply)
    records = [record._replace(ttl=0) for record in message.records if record.rtype != codes.OPT]
    opts = [record for record in message.records if record.rtype == codes.OPT]
    return message.id, message.flags, message.questions, sorted(records), opts


def _sorted(replies: list[bytes]) -> list[bytes]:
    return sorted(replies, key=lambda reply: (reply[:2], str(_timeless(reply))))
