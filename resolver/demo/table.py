"""Draw one table of text: groups of columns under a shared title, boxes and colours where the terminal has them.

Pure: `look_for` is told about the terminal, `render` returns the lines. Plain string formatting on purpose: `rich`
would draw this too, but it would be a dependency of every node's image for the sake of one table in a demo.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Tone(Enum):
    """What a text wants to say with its colour; the value is the ANSI SGR code."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    COSTLY = "33"


@dataclass(frozen=True, slots=True)
class Look:
    """What the output can show: `width` is in columns, `boxes` means box-drawing characters."""

    width: int = 100
    boxes: bool = True
    colours: bool = False

    def paint(self, text: str, tone: Tone) -> str:
        """Return `text` in the colour of `tone`, or as it is."""
        return f"\x1b[{tone.value}m{text}\x1b[0m" if self.colours and tone is not Tone.PLAIN else text


@dataclass(frozen=True, slots=True)
class Column:
    """`right` aligns numbers; an `optional` column goes when the table is too wide, the last one first."""

    title: str
    right: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that belong together under a title (which may be empty)."""

    title: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One text and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


Row = tuple[Cell, ...]

_GAP = "  "


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a frame is made of; corners are left, between and right."""

    line: str
    side: str
    top: tuple[str, str, str]
    middle: tuple[str, str, str]
    bottom: tuple[str, str, str]


_BOXES = _Marks("─", "│", ("┌", "┬", "┐"), ("├", "┼", "┤"), ("└", "┴", "┘"))
_PLAIN = _Marks("-", "|", ("+", "+", "+"), ("+", "+", "+"), ("+", "+", "+"))


def look_for(*, is_terminal: bool, encoding: str | None, width: int, environ: Mapping[str, str]) -> Look:
    """Return how to draw: boxes if `encoding` has them, colours on a terminal without NO_COLOR or TERM=dumb."""
    try:
        "─│┌┬┐├┼┤└┴┘".encode(encoding or "ascii")
        boxes = True
    except (UnicodeEncodeError, LookupError):
        boxes = False
    colours = is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Look(width, boxes, colours)


def render(groups: Sequence[Group], rows: Sequence[Row], look: Look) -> str:
    """Return the table without a last newline; each row has one cell for every column of all groups, in order."""
    groups, rows = _fitting(groups, rows, look.width)
    widths = _widths(groups, rows)
    marks = _BOXES if look.boxes else _PLAIN
    titles = [Cell(column.title, Tone.STRONG) for group in groups for column in group.columns]
    lines = [
        _rule(groups, widths, marks.line, marks.top),
        _titles(groups, widths, look, marks.side),
        _line(groups, widths, titles, look, marks.side),
        _rule(groups, widths, marks.line, marks.middle),
        *(_line(groups, widths, row, look, marks.side) for row in rows),
        _rule(groups, widths, marks.line, marks.bottom),
    ]
    return "\n".join(lines)


def _fitting(groups: Sequence[Group], rows: Sequence[Row], width: int) -> tuple[Sequence[Group], Sequence[Row]]:
    """Return the table without as many optional columns as it takes to fit; all of them may not be enough."""
    while len(_rule(groups, _widths(groups, rows), _PLAIN.line, _PLAIN.top)) > width:
        columns = [column for group in groups for column in group.columns]
        optional = [index for index, column in enumerate(columns) if column.optional]
        if not optional:
            break
        drop = optional[-1]
        gone = columns[drop]
        groups = [Group(group.title, tuple(c for c in group.columns if c is not gone)) for group in groups]
        rows = [row[:drop] + row[drop + 1 :] for row in rows]
    return groups, rows


def _widths(groups: Sequence[Group], rows: Sequence[Row]) -> list[int]:
    """Return the width of every column; the first of a group takes what the group's title needs more."""
    columns = [column for group in groups for column in group.columns]
    widths = [max(len(c.title), *(len(row[i].text) for row in rows), 0) for i, c in enumerate(columns)]
    for group, span in _spans(groups):
        widths[span.start] += max(0, len(group.title) - _inner(widths[span]))
    return widths


def _spans(groups: Sequence[Group]) -> Iterator[tuple[Group, slice]]:
    start = 0
    for group in groups:
        yield group, slice(start, start + len(group.columns))
        start += len(group.columns)


def _inner(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _rule(groups: Sequence[Group], widths: list[int], line: str, corners: tuple[str, str, str]) -> str:
    left, between, right = corners
    return left + between.join(line * (_inner(widths[span]) + 2) for _, span in _spans(groups)) + right


def _titles(groups: Sequence[Group], widths: list[int], look: Look, side: str) -> str:
    parts = [
        look.paint(group.title.ljust(_inner(widths[span])), Tone.STRONG if group.title else Tone.PLAIN)
        for group, span in _spans(groups)
    ]
    return _framed(parts, side)


def _line(groups: Sequence[Group], widths: list[int], cells: Sequence[Cell], look: Look, side: str) -> str:
    parts = []
    for group, span in _spans(groups):
        placed = [
            look.paint(cell.text.rjust(width) if column.right else cell.text.ljust(width), cell.tone)
            for column, width, cell in zip(group.columns, widths[span], cells[span], strict=True)
        ]
        parts.append(_GAP.join(placed))
    return _framed(parts, side)


def _framed(parts: Sequence[str], side: str) -> str:
    return f"{side} " + f" {side} ".join(parts) + f" {side}"
