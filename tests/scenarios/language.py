"""Scenario files as values: stories with a claim, its source, and steps with the lines they stand on.

README.md has the grammar. A file holds one story or several between lines of dashes; a story with `rows` is as many
stories as it has rows, its text with each row's words filled in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

VERBS = frozenset(
    ("zone", "cache", "allow", "ask", "upstream", "reply", "fail", "pass", "answer", "waiting", "dropped", "flush")
)
SECTIONS = ("answer", "authority", "additional")
PEERS = ("unbound", "coredns", "sockets")
"""Whom a remark may be about: the two references, and our own resolver behind real sockets."""

_REMARK = re.compile(rf"({'|'.join(PEERS)}) (differs|skips)(?: in rows ([\d, -]+))?: (.+)")
_RANGE = re.compile(r"\{(\d+)-(\d+)\}")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class ScenarioError(AssertionError):
    """A scenario that cannot be read, or that the resolver does not follow."""


def seconds(text: str) -> float:
    """`300ms`, `2s`, `1h`."""
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * _UNITS[unit]


@dataclass
class Step:
    """One line of a scenario, with the records indented under it."""

    where: str
    """FILE:LINE"""
    verb: str
    words: list[str]
    """What stands by itself, in order."""
    options: dict[str, str]
    """What stands as name=value."""
    records: list[tuple[str, str]] = field(default_factory=list)
    """(section, record as in a zone file)"""

    def flag(self, word: str) -> bool:
        """Whether a word is there; it is taken out."""
        if word in self.words:
            self.words.remove(word)
            return True
        return False

    def after(self, word: str, default: str = "") -> str:
        """The word that follows `word`; both are taken out."""
        if word not in self.words:
            return default
        at = self.words.index(word)
        if at + 1 == len(self.words):
            raise ScenarioError(f"{self.where}: nothing follows {word!r}")
        value = self.words[at + 1]
        del self.words[at : at + 2]
        return value

    def done(self, words: int) -> list[str]:
        """The words that are left, which must be so many; every option must have been taken."""
        if len(self.words) != words or self.options:
            left = [*self.words[words:], *self.options]
            raise ScenarioError(f"{self.where}: {self.verb} needs {words} words and does not understand {left}")
        return self.words

    def copy(self) -> "Step":
        """One whose words may be taken out again."""
        return Step(self.where, self.verb, list(self.words), dict(self.options), self.records)


@dataclass(frozen=True)
class Remark:
    """What a story says about a real server: that it `differs` (played, and must not fit), or `skips` (not played)."""

    verb: str
    reason: str


@dataclass(frozen=True)
class Scenario:
    """One story."""

    path: Path
    line: int
    """Where its first line stands in the file."""
    claim: str
    source: str
    remarks: dict[str, Remark]
    steps: list[Step]
    row: int = 0
    """Which row it is made of, from 1 on; 0: none."""

    @property
    def name(self) -> str:
        """Short and unique: FILE, FILE:LINE or FILE:LINE.ROW."""
        place = f":{self.line}" if self.line > 1 or self.row else ""
        return f"{self.path.stem}{place}{f'.{self.row}' if self.row else ''}"


def read(path: Path) -> list[Scenario]:
    """The stories of a file; ScenarioError for what does not follow the grammar."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found: list[Scenario] = []
    first = 1
    for number, line in enumerate([*lines, "---"], start=1):
        if line.rstrip() == "---":
            found += _stories(path, first, lines[first - 1 : number - 1])
            first = number + 1
    return found


def _stories(path: Path, first: int, lines: list[str]) -> Iterator[Scenario]:
    rows_at = next((at for at, line in enumerate(lines) if line.startswith("rows ")), None)
    if rows_at is None:
        yield _story(path, first, lines)
        return
    end = rows_at + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    names = _cells(lines[rows_at].removeprefix("rows "))
    kept = [*lines[:rows_at], *[""] * (end - rows_at), *lines[end:]]
    for row, line in enumerate(lines[rows_at + 1 : end], start=1):
        cells = _cells(line)
        if len(cells) != len(names):
            raise ScenarioError(f"{path.name}:{first + rows_at + row}: {len(names)} cells are needed")
        words = dict(zip(names, cells, strict=True))
        yield _story(path, first, [_filled(each, words) for each in kept], row)


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda name: words.get(name[1], name[0]), text)


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.split("|")]


def _story(path: Path, first: int, lines: list[str], row: int = 0) -> Scenario:
    head = [line.removeprefix("#").strip() for line in lines[:2] if line.startswith("#")]
    if len(head) != 2 or not all(head):
        raise ScenarioError(f"{path.name}:{first}: a scenario opens with '# its claim' and '# its source'")
    remarks: dict[str, Remark] = {}
    at = 2
    while at < len(lines) and lines[at].startswith("#"):
        remarks |= _remark(f"{path.name}:{first + at}", lines[at], row)
        at += 1
    steps: list[Step] = []
    for number, line in enumerate(lines[at:], start=first + at):
        text = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].rstrip()
        if not text:
            continue
        where = f"{path.name}:{number}"
        if text[0] == " ":
            if not steps or steps[-1].verb not in {"reply", "answer"}:
                raise ScenarioError(f"{where}: records belong under a reply or an answer")
            steps[-1].records += [_record(one) for one in _spread(text.strip())]
        else:
            steps.append(_step(where, text))
    return Scenario(path, first, head[0], head[1], remarks, steps, row)


def _remark(where: str, line: str, row: int) -> dict[str, Remark]:
    """What a line says about a server; nothing where it is about other rows."""
    text = line.removeprefix("#").strip()
    found = _REMARK.fullmatch(text)
    if found is None:
        raise ScenarioError(f"{where}: expected '# SERVER differs|skips [in rows 1, 3-5]: REASON', got {text!r}")
    server, verb, rows, reason = found.groups()
    return {server: Remark(verb, reason)} if rows is None or row in _numbers(rows) else {}


def _numbers(text: str) -> set[int]:
    """`1, 3-5` is four numbers."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def _step(where: str, text: str) -> Step:
    verb, *rest = text.split()
    if verb not in VERBS:
        raise ScenarioError(f"{where}: {verb!r} is none of {', '.join(sorted(VERBS))}")
    options = dict(word.split("=", 1) for word in rest if "=" in word)
    return Step(where, verb, [word for word in rest if "=" not in word], options)


def _spread(text: str) -> list[str]:
    """`10.0.0.{1-3}` is three records; `//` stands between records on one line."""
    if " // " in text:
        return [one for part in text.split(" // ") for one in _spread(part)]
    found = _RANGE.search(text)
    if found is None:
        return [text]
    first, last = (int(number) for number in found.groups())
    return [text[: found.start()] + str(number) + text[found.end() :] for number in range(first, last + 1)]


def _record(text: str) -> tuple[str, str]:
    first, _, rest = text.partition(" ")
    return (first, rest.strip()) if first in SECTIONS else ("answer", text)
