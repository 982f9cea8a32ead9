"""A Corefile's words, each with its place: what CoreDNS's lexer makes of a text (github.com/coredns/caddy, lexer.go).

A word ends at white space; one that begins with a quote goes on to the next quote, over lines if need be, and only a
quote is escaped by a backslash there. `#` begins a comment, also in the middle of a word, where it ends at the next
white space and not with the line: odd, and kept, because it decides what CoreDNS reads.
"""

import re
from typing import NamedTuple

_NEXT = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<open>")|#[^\n]*|(?P<word>[^\s#]+)(?:#\S*)?', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class CorefileError(ValueError):
    """A Corefile that CoreDNS could not read either. `line` and `column` count from 1 in the Corefile's own text."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class Token(NamedTuple):
    """One word. `first`: no other stands before it on its line, which is what ends a directive's arguments."""

    text: str
    line: int
    column: int
    first: bool = False


def read_tokens(text: str) -> list[Token]:
    """The words of `text`. Raises CorefileError for a quote without its end."""
    text = text.removeprefix("\ufeff").replace("\r", "")
    found: list[Token] = []
    line, line_start, counted, line_of_last = 1, 0, 0, 0
    for match in _NEXT.finditer(text):
        line += text.count("\n", counted, match.start())
        line_start = max(line_start, text.rfind("\n", 0, match.start()) + 1)
        counted = match.start()
        column = match.start() - line_start + 1
        if match["open"]:
            raise CorefileError(line, column, "the quote that begins here has no end")
        quoted = match["quoted"]
        if quoted is None and match["word"] is None:
            continue
        word = match["word"] if quoted is None else _ESCAPED.sub(_unescaped, quoted)
        found.append(Token(word, line, column, line != line_of_last))
        line_of_last = line + match[0].count("\n")
    return found


def _unescaped(match: re.Match[str]) -> str:
    return '"' if match[1] == '"' else match[0]
