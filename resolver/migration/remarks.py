"""What a conversion has to say about single lines of its input, and how grave it is.

One sentence about several lines is said once. A place is text, as people and editors read it: `FILE:LINE`.
"""

from enum import IntEnum
from typing import NamedTuple

from resolver.migration.tokens import Token


class Grade(IntEnum):
    """How much a remark matters to the answers that pods get."""

    NOTE = 0
    """Nothing: it is so by itself here, or done another way."""
    CHANGED = 1
    """Carried over, but not quite the same."""
    LEFT_OUT = 2
    """Not carried over: the remark says what to do instead."""

    def __str__(self) -> str:
        return ("note", "changed", "left out")[self]


class Remark(NamedTuple):
    """One sentence about one directive; `lines` are in the same source, in order."""

    source: "Source"
    lines: tuple[int, ...]
    subject: str
    grade: Grade
    message: str

    def __str__(self) -> str:
        also = ""
        if self.lines[1:]:
            also = f" (also line{'s' if self.lines[2:] else ''} {', '.join(map(str, self.lines[1:]))})"
        return f"{self.source.place(self.lines[0])}: {self.subject}: {self.grade}: {self.message}{also}"


class Source(NamedTuple):
    """A text within a file. `begins`: the line of the file that is the text's first.

    Where its lines cannot be told from the file's, `known` is False, `begins` is the line of the whole, and lines are
    the text's own.
    """

    file: str
    begins: int = 1
    indent: int = 0
    known: bool = True

    def line(self, line: int) -> int:
        """The number that stands for a line of the text."""
        return line + self.begins - 1 if self.known else line

    def place(self, line: int) -> str:
        """FILE:LINE for a number that `line` has given."""
        return f"{self.file}:{line}" if self.known else f"{self.file}:{self.begins} (line {line} of the Corefile)"

    def exact(self, line: int, column: int) -> str:
        """FILE:LINE:COLUMN for a place of the text."""
        return f"{self.place(self.line(line))}:{column + self.indent}"


class Ledger:
    """Collects remarks about sources."""

    def __init__(self) -> None:
        self._found: dict[tuple[Source, str, Grade, str], list[int]] = {}

    def add(self, source: Source, where: Token | int, subject: str, grade: Grade, message: str) -> None:
        """`where` is a word of the source, or one of its lines."""
        line = source.line(where.line if isinstance(where, Token) else where)
        lines = self._found.setdefault((source, shown(subject), grade, printable(message)), [])
        if line not in lines:
            lines.append(line)

    def remarks(self) -> tuple[Remark, ...]:
        """Sorted by place."""
        found = [Remark(key[0], tuple(sorted(lines)), *key[1:]) for key, lines in self._found.items()]
        return tuple(sorted(found, key=_place))


def _place(remark: Remark) -> tuple[str, int, int]:
    source = remark.source
    return (source.file, remark.lines[0], 0) if source.known else (source.file, source.begins, remark.lines[0])


def printable(text: str) -> str:
    """Text in one line that any terminal can show, and that does nothing else to it."""
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def shown(text: str) -> str:
    """Text of the input as `printable` says, and of bounded length."""
    plain = printable(text)
    return plain if len(plain) <= 120 else plain[:117] + "..."
