"""Everything in README and docs that a reader may copy: fenced blocks with a language, and indented ones."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "charts/nodelocaldns/README.md",
    *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md")),
)


class Snippet(NamedTuple):
    """One block. `language` is "" for one that is indented."""

    page: str
    line: int
    """Where it begins, from 1."""
    language: str
    text: str

    @property
    def place(self) -> str:
        """As editors understand it."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """What a shell would run: continued lines joined, comments and empty lines left out."""
        found: list[str] = []
        whole = True
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            text = re.sub(r"(^|\s+)#\s.*$", "", line).strip()
            if not whole:
                found[-1] += " " + text
            elif text:
                found.append(text)
            whole = not found or found[-1].count("'") % 2 == 0  # a quoted text that goes on in the next line
        return found


def snippets(page: str, text: str) -> list[Snippet]:
    """All blocks of a page, in order."""
    found: list[Snippet] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        start = at
        fence = re.match(r"\s*```(\w*)$", lines[at])
        if fence:
            at += 1
            while lines[at].strip() != "```":
                at += 1
            found.append(_made(page, start, fence[1], lines[start + 1 : at]))
        elif lines[at].startswith("    ") and (not at or not lines[at - 1].strip()):
            while at + 1 < len(lines) and (lines[at + 1].startswith("    ") or not lines[at + 1].strip()):
                at += 1
            found.append(_made(page, start, "", lines[start : at + 1]))
        at += 1
    return found


def all_snippets() -> list[Snippet]:
    """Those of all pages."""
    return [each for page in PAGES for each in snippets(page, (ROOT / page).read_text(encoding="utf-8"))]


def _made(page: str, start: int, language: str, lines: list[str]) -> Snippet:
    return Snippet(page, start + 1, language, textwrap.dedent("\n".join(lines)).strip("\n") + "\n")
