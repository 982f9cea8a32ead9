"""A steady load from pods, and what became of every single question (clients/steady.c).

The programs write what they count into a file, in rows of 1/20 s by the moment a question was asked, on the clock that
`time.monotonic` reads. So whoever knows when something happened can say afterwards what it cost: `Steady.between`.
"""

import contextlib
import mmap
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from tests.lab.ask import question
from tests.lab.netns import Namespace
from tests.lab.process import Process
from tests.lab.waiting import wait_until

SOURCE = Path(__file__).with_name("clients") / "steady.c"
LONGEST_SECONDS = 1800
ROWS_PER_SECOND = 20
DIGITS = b"00000000"
"""The label in whose place the program writes others, so that nobody has asked for the name before."""

_HEAD = struct.Struct("=6q")
_ROW = struct.Struct("=7q")


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of question: its packet, and the bytes (an address) that every right answer holds."""

    name: str
    type: str = "A"
    expected: bytes = b""
    rcode: int = 0

    def record(self) -> bytes:
        """As the program reads it: `struct record`."""
        packet = question(self.name, self.type)
        digits_at = max(packet.find(DIGITS), 0)
        head = struct.pack("=HHBB", len(packet), digits_at, self.rcode, len(self.expected))
        return head + packet.ljust(300, b"\0") + self.expected.ljust(16, b"\0")


@dataclass(slots=True)
class Count:
    """What became of the questions of some time. `again`: sent twice, because their connection was ended."""

    asked: int = 0
    right: int = 0
    wrong: int = 0
    unanswered: int = 0
    refused: int = 0
    again: int = 0
    slowest: int = 0
    """Microseconds."""

    @property
    def failed(self) -> int:
        """Without an answer, or with a wrong one."""
        return self.asked - self.right

    def add(self, other: "Count") -> None:
        """Count these as well."""
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, max(mine, others) if each.name == "slowest" else mine + others)


class Sheet:
    """What one program counts."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_HEAD.size + _ROW.size * LONGEST_SECONDS * ROWS_PER_SECOND)
            self._map = mmap.mmap(file.fileno(), 0)

    @property
    def began(self) -> int:
        """Monotonic nanoseconds; 0 before it has."""
        return int(_HEAD.unpack_from(self._map)[0])

    @property
    def stray(self) -> int:
        """Replies that nobody waited for: a question that was answered twice has one."""
        return int(_HEAD.unpack_from(self._map)[3])

    @property
    def tcp(self) -> int:
        """Questions over TCP."""
        return int(_HEAD.unpack_from(self._map)[4])

    @property
    def held_up_seconds(self) -> float:
        """The longest time for which the program itself did not run."""
        return int(_HEAD.unpack_from(self._map)[5]) / 1e9

    def between(self, since: float, until: float) -> Count:
        """What became of all that was asked in the rows from `since` to `until` (monotonic seconds)."""
        total = Count()
        first, last = (int((each - self.began / 1e9) * ROWS_PER_SECOND) for each in (since, until))
        for number in range(max(first, 0), last + 1):
            total.add(Count(*_ROW.unpack_from(self._map, _HEAD.size + number * _ROW.size)))
        return total


class Steady:
    """All programs of one load; the counts are sums over them."""

    def __init__(self, sheets: Sequence[Sheet]) -> None:
        self._sheets = sheets
        self._ended = 0.0

    def between(self, since: float, until: float) -> Count:
        """As `Sheet.between`. What was asked last is complete only after the load has ended."""
        total = Count()
        for sheet in self._sheets:
            total.add(sheet.between(since, until))
        return total

    def all(self) -> Count:
        """From the beginning to now, or to the end."""
        return self.between(0, self._ended or time.monotonic())

    def go_on(self, questions: int) -> None:
        """Return when so many more have been asked and answered."""
        enough = self.all().right + questions
        wait_until(lambda: self.all().right >= enough, f"{questions} more answers", patience_seconds=60)

    def more_asked(self, questions: int) -> None:
        """Return when so many more have been asked, whatever became of them."""
        enough = self.all().asked + questions
        wait_until(lambda: self.all().asked >= enough, f"{questions} more questions", patience_seconds=60)

    def calm(self) -> None:
        """Return when nearly all that was asked is answered, so that nothing waits anywhere."""

        def under_way() -> int:
            count = self.all()
            return count.asked - count.right - count.wrong - count.unanswered

        wait_until(lambda: under_way() < CALM, "most answers", patience_seconds=60)

    def ended(self) -> None:
        """Nothing more is asked: what is unanswered remains so."""
        self._ended = time.monotonic()

    @property
    def stray(self) -> int:
        """Replies to nobody."""
        return sum(sheet.stray for sheet in self._sheets)

    @property
    def tcp(self) -> int:
        """Questions over TCP."""
        return sum(sheet.tcp for sheet in self._sheets)

    @property
    def held_up_seconds(self) -> float:
        """The longest time for which one of the programs did not run."""
        return max(sheet.held_up_seconds for sheet in self._sheets)


PER_SECOND: Final = 5000
CALM: Final = 64
"""So few questions are always on their way."""
TCP_SHARE: Final = 0.02


@contextlib.contextmanager
def steady(
    folder: Path,
    pods: Sequence[Namespace],
    server: str,
    questions: Sequence[Asked],
    *,
    per_second: int = PER_SECOND,
    tcp_share: float = TCP_SHARE,
) -> Iterator[Steady]:
    """The load, of so many questions per second from each pod, for as long as the block lasts."""
    program = folder / "steady"
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)], check=True)
    stamp = time.monotonic_ns()
    written = folder / f"questions-{stamp}"
    written.write_bytes(b"".join(each.record() for each in questions))
    processes, sheets = [], []
    for number, pod in enumerate(pods):
        path = folder / f"steady-{number}-{stamp}"
        sheets.append(Sheet(path))
        command = [str(program), server, str(per_second), str(tcp_share), str(path)]
        processes.append(Process(pod, ["sh", "-c", f'exec "$@" <{written}', "sh", *command], folder / "steady.log"))
    load = Steady(sheets)
    try:
        for process, sheet in zip(processes, sheets, strict=True):
            process.start(lambda sheet=sheet: sheet.began > 0)  # type: ignore[misc]
        yield load
        for process in processes:
            process.terminate()
        for process in processes:
            assert process.wait() == 0, process.last_words()
        load.ended()
    finally:
        for process in processes:
            process.kill()


def usual_questions(names: int = 1000, new: int = 10) -> list[Asked]:
    """What an application's pods ask: the same services again and again, a few outside, some that do not exist, and a
    few names (`new` in a thousand) that nobody asked for before.
    """
    cluster, outside = bytes((10, 96, 99, 99)), bytes((203, 0, 113, 99))
    known = [Asked(f"known-{number}.fresh.svc.cluster.local", "A", cluster) for number in range(names * 6 // 10)]
    known += [Asked(f"known-{number}.steady.example.com", "A", outside) for number in range(names * 2 // 10)]
    known += [Asked("web.shop.svc.cluster.local", "A", bytes((10, 96, 12, 34)))] * (names // 10)
    known += [Asked("api.shop.svc.cluster.local", "AAAA")] * (names // 20)
    known += [Asked("missing.shop.svc.cluster.local", "A", rcode=3)] * (names // 20)
    fresh = [
        Asked(f"{DIGITS.decode()}.fresh.{zone}", "A", right)
        for zone, right in (("svc.cluster.local", cluster), ("example.com", outside))
    ]
    mixed = [known[(number * 617) % len(known)] for number in range(len(known))]
    step = max(len(mixed) // new, 1)
    for number in range(new):
        mixed.insert(number * (step + 1), fresh[number % 2])
    return mixed
