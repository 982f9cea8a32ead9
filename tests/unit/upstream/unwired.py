"""One connection without a network: a transport that notes what is written, an owner that notes what it is told."""

import asyncio
from typing import Any, cast

from resolver.upstream.connection import Connection, PendingQuery
from resolver.upstream.ids import QueryIds
from resolver.upstream.transport import Attempt, Problem
from tests.unit.builders import framed
from tests.unit.upstream.steered import QUESTION, query_for


class FakeLoop:
    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[tuple[Any, ...]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, *call: Any) -> None:
        self.soon.append(call)

    def turn(self) -> None:
        calls, self.soon = self.soon, []
        for callback, *arguments in calls:
            callback(*arguments)


class FakeTransport:
    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False
        self.aborted = False
        self._paused = False

    @property
    def paused(self) -> bool:
        return self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Heard:
    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.problems: list[Problem] = []

    def answered(self, packet: bytes) -> None:
        self.packets.append(packet)

    def failed(self, problem: Problem) -> None:
        self.problems.append(problem)


class Scene:
    """A connection, and all that it touches."""

    def __init__(self, *, connected: bool = True) -> None:
        self.loop = FakeLoop()
        self.transport = FakeTransport()
        self.opened = 0
        self.closed = 0
        loop = cast("asyncio.AbstractEventLoop", self.loop)
        self.connection = Connection(self, loop, QueryIds(), self.loop.now)
        if connected:
            self.connect()

    def connect(self) -> None:
        self.connection.connection_made(cast("asyncio.Transport", self.transport))

    def connection_opened(self, connection: Connection) -> None:
        self.opened += 1

    def connection_closed(self, connection: Connection) -> None:
        self.closed += 1

    def ask(self, question: bytes = QUESTION, attempt: Attempt | None = None) -> tuple[PendingQuery, Heard]:
        heard = Heard()
        return self.connection.send(query_for(question), question, attempt or heard), heard

    def queries(self) -> list[bytes]:
        """What was written, cut into messages."""
        self.loop.turn()
        stream = b"".join(self.transport.writes)
        messages = []
        while stream:
            end = 2 + int.from_bytes(stream[:2], "big")
            messages.append(stream[2:end])
            stream = stream[end:]
        return messages

    def receive(self, *messages: bytes) -> None:
        self.connection.data_received(framed(*messages))
