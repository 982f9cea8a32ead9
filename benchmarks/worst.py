"""`python -m benchmarks.worst`: what the dearest packets cost that anybody has thought of, beside normal ones.

CPU time of this process for one packet at each door, without the system calls that carry it (about 6 us over UDP), the
least of several rounds. A client's packet is compared with the mean of those that real programs send
(tests/cases/packets); an answer of a server by the KiB, because one may be a thousand times as long as another. Status
1 if something costs more than ten times what is normal.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks import hostile
from benchmarks.command import begin
from benchmarks.costs import MOST, Cost, spent, table
from benchmarks.publish import Place
from benchmarks.worst_others import others
from resolver.message import codes
from resolver.message.answer import is_answer_to, read_answer
from resolver.message.derive import MOST_BYTES, alias
from resolver.message.query import BadPacket
from tests.cases.recorded import ANSWERS, QUERIES, asked_of
from tests.unit.world import World, zone

TABLE: Final = Place(Path("docs/robustness.md"), "worst", "python -m benchmarks.worst --publish")
CLIENT: Final = "10.1.0.7"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and judge."""
    about = (__doc__ or "").partition("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worst", description=about)
    arguments = begin(parser, argv, TABLE)
    costs = [*clients(), *servers(), *derived(), *others()]
    text = table(costs)
    print(text)
    if arguments.publish:
        TABLE.put(Path(), text)
    return 1 if any(cost.times > MOST for cost in costs) else 0


class Asked:
    """A resolver that knows the answers to all recorded queries, and forgets its ready replies before each packet."""

    def __init__(self, *, tcp: bool) -> None:
        self._world = World(zone("cluster.local", "in-addr.arpa"), zone("."))
        self._via = self._world.engine.via(tcp=tcp, family=4)
        self._number = count()
        for answer in ANSWERS.values():
            self._learn(answer)

    def _learn(self, answer: bytes) -> None:
        question = asked_of(answer)
        if question:
            self._world.ask(b"ID\1\0\0\1\0\0\0\0\0\0" + question)
            for sent in self._world.waiting_sends:
                sent.answer(answer)
            self._world.go(1e-6)

    def cost(self, packet: bytes) -> float:
        """Of this packet, its last octets different each time."""
        engine, via, world = self._world.engine, self._via, self._world
        varied = hostile.varied(packet)

        def ask() -> None:
            via.ready.clear()
            engine.answer(varied(next(self._number)), CLIENT, via, world.now)

        return spent(ask)


def clients() -> Iterator[Cost]:
    """Packets that anybody may send."""
    for door, tcp in (("client, UDP", False), ("client, TCP", True)):
        asked = Asked(tcp=tcp)
        costs = [asked.cost(packet) for packet in QUERIES.values()]
        normal = sum(costs) / len(costs)
        size = sum(map(len, QUERIES.values())) // len(QUERIES)
        yield Cost(door, "normal: the mean of what programs send", size, normal, 1.0, False)
        for what, packet in hostile.queries(tcp=tcp).items():
            microseconds = asked.cost(packet)
            yield Cost(door, what, len(packet), microseconds, microseconds / normal, False)


def _answers(door: str, room: int, work: Callable[[bytes, bytes], object]) -> Iterator[Cost]:
    def least(packet: bytes, question: bytes) -> float:
        return spent(lambda: work(packet, question))

    normal = [(each, asked_of(each)) for each in ANSWERS.values() if asked_of(each) and len(each) < 1232]
    size = sum(len(packet) for packet, _ in normal)
    whole = sum(least(packet, question) for packet, question in normal)
    yield Cost(door, "normal: the mean of what servers send", size // len(normal), whole / len(normal), 1.0, True)
    for what, packet in hostile.answers(room).items():
        microseconds = least(packet, hostile.QUESTION)
        yield Cost(door, what, len(packet), microseconds, microseconds / len(packet) / (whole / size), True)


def servers() -> Iterator[Cost]:
    """Answers as they come in."""

    def read(packet: bytes, question: bytes) -> None:
        if is_answer_to(packet, question):
            try:
                read_answer(packet, question)
            except BadPacket:
                return

    yield from _answers("server", codes.TCP_BYTES, read)


def derived() -> Iterator[Cost]:
    """Answers that others are made from, in zones with search completion."""

    def make(packet: bytes, question: bytes) -> None:
        try:
            alias(hostile.COMPLETED, 10, question[:-4], read_answer(packet, question), 1)
        except BadPacket:
            return

    yield from _answers("server, completion", MOST_BYTES, make)


if __name__ == "__main__":
    sys.exit(main())
