"""Scenario files as values: a claim, its source, and steps with the lines they stand on. README.md has the grammar."""

from dataclasses import dataclass, field
from pathlib import Path

VERBS = frozenset(
    ("zone", "cache", "allow", "ask", "upstream", "reply", "fail", "pass", "answer", "waiting", "dropped", "flush")
)
SECTIONS = ("answer", "authority", "additional")


class ScenarioError(AssertionError):
    """A scenario that cannot be read, or that the resolver does not follow."""


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


@dataclass(frozen=True)
class Scenario:
    """One file."""

    path: Path
    claim: str
    source: str
    steps: list[Step]


def read(path: Path) -> Scenario:
    """Read a scenario file; ScenarioError for what does not follow the grammar."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("#").strip() for line in lines[:2] if line.startswith("#")]
    if len(comments) != 2 or not all(comments):
        raise ScenarioError(f"{path.name}:1: a scenario opens with '# its claim' and '# its source'")
    steps: list[Step] = []
    for number, line in enumerate(lines[2:], start=3):
        text = line.split("#", 1)[0].rstrip()
        if not text:
            continue
        where = f"{path.name}:{number}"
        if text[0] == " ":
            if not steps or steps[-1].verb not in {"reply", "answer"}:
                raise ScenarioError(f"{where}: records belong under a reply or an answer")
            steps[-1].records.append(_record(text.strip()))
        else:
            steps.append(_step(where, text))
    return Scenario(path, comments[0], comments[1], steps)


def _step(where: str, text: str) -> Step:
    verb, *rest = text.split()
    if verb not in VERBS:
        raise ScenarioError(f"{where}: {verb!r} is none of {', '.join(sorted(VERBS))}")
    options = dict(word.split("=", 1) for word in rest if "=" in word)
    return Step(where, verb, [word for word in rest if "=" not in word], options)


def _record(text: str) -> tuple[str, str]:
    first, _, rest = text.partition(" ")
    return (first, rest.strip()) if first in SECTIONS else ("answer", text)
