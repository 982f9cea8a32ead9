"""The stream of a server, cut anywhere: who is answered depends on its octets and not on how they arrive.

Two connections with the same questions under way (IDs 0 to 7) hear the stream, one whole and one in pieces. Nobody is
given what does not answer its question, nobody is told twice, and what is held of an unfinished message is bounded.

Input: four octets that say where to cut, then the stream.
"""

from collections.abc import Iterator

from resolver.message import codes
from resolver.message.answer import is_answer_to
from resolver.upstream.connection import MAX_USELESS_BYTES
from resolver.upstream.transport import Problem
from tests.cases.recorded import ANSWERS, asked_of
from tests.fuzz.cuts import pieces
from tests.unit.builders import framed
from tests.unit.upstream.unwired import Heard, Scene

QUESTIONS = [
    asked_of(ANSWERS[name])
    for name in ("CoreDNS address", "CoreDNS IPv6", "CoreDNS headless", "CoreDNS SRV with addresses",
                 "CoreDNS NXDOMAIN", "Unbound address", "Unbound NODATA", "Unbound MX")
]  # fmt: skip
HEARD_AT_ONCE = 256 * 1024


def seeds() -> Iterator[bytes]:
    known = {asked_of(packet): packet for packet in ANSWERS.values() if asked_of(packet) in QUESTIONS}
    answers = [number.to_bytes(2, "big") + known[question][2:] for number, question in enumerate(QUESTIONS)]
    yield b"\0\0\0\0" + framed(answers[0])
    yield b"\1\2\3\4" + framed(*answers)
    yield b"\x20\x40\x60\x80" + framed(*reversed(answers))
    yield b"\xff\xff\xff\xff" + framed(answers[0], answers[0], b"", b"\0\1", answers[1])
    yield b"\xff\xff\xff\xff" + framed(*answers[:2])[:-9]


class Counting:
    """IDs that can be foreseen."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> bytes:
        self._next += 1
        return (self._next - 1).to_bytes(2, "big")


class Server(Scene):
    """A connection on which all questions are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.connection._ids = Counting()  # type: ignore[assignment]
        self.heard: list[Heard] = [self.ask(question)[1] for question in QUESTIONS]
        self.loop.turn()

    def say(self, piece: bytes) -> None:
        if self.transport.aborted:
            return
        for at in range(0, len(piece), HEARD_AT_ONCE):
            self.connection.data_received(piece[at : at + HEARD_AT_ONCE])
            while self.transport.paused and not self.transport.aborted:
                self.loop.turn()
        self.loop.turn()
        assert self.connection._frames.held_bytes <= codes.TCP_BYTES + 2
        assert self.connection._useless_bytes <= MAX_USELESS_BYTES + HEARD_AT_ONCE

    def end(self) -> list[list[bytes | Problem]]:
        """What everybody was told, at the latest when the server hangs up."""
        assert self.connection.waiting == sum(not heard.packets for heard in self.heard)
        self.connection.connection_lost(None)
        return [[*heard.packets, *heard.problems] for heard in self.heard]


def check(data: bytes) -> None:
    stream, cut = pieces(data)
    whole, parts = Server(), Server()
    whole.say(stream)
    for piece in cut:
        parts.say(piece)
    one, other = whole.end(), parts.end()
    assert one == other
    for number, (question, told) in enumerate(zip(QUESTIONS, one, strict=True)):
        (what,) = told
        if isinstance(what, bytes):
            assert what[:2] == number.to_bytes(2, "big")
            assert is_answer_to(what, question)
            assert what[2] & 0x80
            assert framed(what) in stream
