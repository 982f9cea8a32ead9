"""Which names may hold up the questions behind them. Pure; `now` is monotonic seconds.

CoreDNS takes the questions of one connection one after the other, and what is not the cluster's it forwards: a name
whose servers are dark keeps whatever was asked behind it waiting for seconds. Nobody can tell such a name by looking at
it, so names are judged by families: all below one parent probably have the same servers. A family that was seen to hold
up others goes aside, with its like. For a while after that, dark families that nobody has met yet are expected: what
was not seen to be answered soon is kept away from what was. In both places each question has a connection of its own
as long as there are not too many, because some will be there by mistake.
"""

from enum import Enum
from typing import Final

TYPE_AND_CLASS_BYTES: Final = 4
"""Behind the name of a question in wire form."""
MAX_ASIDE: Final = 256
"""Families that are aside; then the one that was seen to be slow first is forgotten."""
MAX_PROVEN: Final = 1024
"""Families that were answered soon; then the one that was so first has to show it again."""
ASIDE_SECONDS: Final = 10.0
"""After so long without having been seen again to hold up others, a family gets another chance."""
WATCH_SECONDS: Final = 60.0
"""After so long without any such family all names are trusted again."""


class Standing(Enum):
    """How a name is asked for."""

    TRUSTED = "with all others"
    UNPROVEN = "with those of which nothing is known"
    ASIDE = "with those that are slow"


class Suspects:
    """What one server was seen to do with names. `watching`: whether anything has been seen at all, lately."""

    __slots__ = ("_proven", "_until", "aside", "watching")

    def __init__(self) -> None:
        self.watching = False
        self.aside: dict[bytes, float] = {}
        """Families, and until when they are aside."""
        self._proven: dict[bytes, None] = {}
        self._until = 0.0

    def standing(self, question: bytes, now: float) -> Standing:
        """Of the name of a question (wire form)."""
        if now >= self._until:
            self._forget_all()
            return Standing.TRUSTED
        family = _family(question)
        until = self.aside.get(family)
        if until is not None:
            if now < until:
                return Standing.ASIDE
            del self.aside[family]
        return Standing.TRUSTED if family in self._proven else Standing.UNPROVEN

    def held_up(self, question: bytes, now: float) -> None:
        """The oldest question of a connection has had no answer for the time of a try: what is like it goes aside, or,
        where it was answered soon before, has to show that again.
        """
        family = _family(question)
        if family in self._proven:
            del self._proven[family]
        else:
            self.aside.pop(family, None)
            self.aside[family] = now + ASIDE_SECONDS
            if len(self.aside) > MAX_ASIDE:
                del self.aside[next(iter(self.aside))]
        self.watching = True
        self._until = now + WATCH_SECONDS

    def answered(self, question: bytes) -> None:
        """By the first try: nobody has to fear it. One that was aside has to show it once more."""
        family = _family(question)
        if self.aside.pop(family, None) is None:
            self._proven[family] = None
            if len(self._proven) > MAX_PROVEN:
                del self._proven[next(iter(self._proven))]

    def _forget_all(self) -> None:
        self.watching = False
        self.aside.clear()
        self._proven.clear()


def _family(question: bytes) -> bytes:
    """What probably has the same servers as this name: all below its parent, unless that is a top-level domain."""
    name = question[:-TYPE_AND_CLASS_BYTES]
    parent = name[name[0] + 1 :]
    return parent if parent and parent[0] and parent[parent[0] + 1] else name
