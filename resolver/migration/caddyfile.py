"""Words to server blocks: the grammar of a Corefile, as CoreDNS reads it (github.com/coredns/caddy, parse.go).

A block is a line of keys (zones) and directives in braces; a directive is a line that may go on in braces of its own.
Snippets, `(name) { ... }`, are put in where they are imported. Files that are imported cannot be seen from here: their
`import` stays a directive, for whoever judges directives. Knows no plugin.
"""

from typing import NamedTuple

from resolver.migration.tokens import CorefileError, Token

MOST_TOKENS = 50_000
"""Snippets that import snippets can grow without end from a few lines."""
DEEPEST = 8
"""Braces within braces; no plugin has more than two."""
_BRACES = ("{", "}")


class Directive(NamedTuple):
    """One line with its arguments, and the lines in its braces."""

    name: Token
    args: tuple[Token, ...] = ()
    body: tuple["Directive", ...] = ()

    @property
    def words(self) -> list[str]:
        """The arguments as text."""
        return [each.text for each in self.args]


class Block(NamedTuple):
    """What is said about some zones."""

    keys: tuple[Token, ...]
    directives: tuple[Directive, ...]


class Corefile(NamedTuple):
    """All blocks in order, and the imports of files between them."""

    blocks: tuple[Block, ...]
    imports: tuple[Directive, ...]


def parse(tokens: list[Token]) -> Corefile:
    """Raises CorefileError, and nothing else, for what is no Corefile."""
    return _Parser(tokens).corefile()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = list(reversed(tokens))  # the next one is the last: put in and taken out at the end
        self._last = tokens[-1] if tokens else Token("", 1, 1)
        self._budget = MOST_TOKENS
        self._snippets: dict[str, list[Token]] = {}
        self._imports: list[Directive] = []

    def corefile(self) -> Corefile:
        blocks = []
        while self._tokens:
            keys = self._keys()
            if len(keys) == 1 and keys[0].text.startswith("(") and keys[0].text.endswith(")"):
                self._keep_snippet(keys[0])
            elif keys:
                blocks.append(Block(tuple(keys), tuple(self._contents(keys[0]))))
        return Corefile(tuple(blocks), tuple(self._imports))

    def _peek(self) -> Token | None:
        return self._tokens[-1] if self._tokens else None

    def _keys(self) -> list[Token]:
        """The zones before a brace, or before the end of their line where no comma says that it goes on."""
        keys: list[Token] = []
        going_on = False
        while (token := self._peek()) is not None and token.text not in _BRACES:
            if keys and token.first and not going_on:
                break
            self._tokens.pop()
            if token.text == "import" and token.first and not keys:
                self._put_in(token, self._imports)
                continue
            if token.text.endswith("{"):
                raise _wrong(token, f"a space is missing in {token.text!r}, before the brace")
            going_on = token.text.endswith(",")
            if token.text.rstrip(","):
                keys.append(token._replace(text=token.text.removesuffix(",")))
        if token is not None and token.text in _BRACES and (going_on or not keys):
            raise _wrong(token, f"a zone was expected here, not {token.text!r}")
        if token is None and going_on:
            raise _wrong(self._last, "another zone was expected after the comma, but the file ends")
        return keys

    def _contents(self, key: Token) -> list[Directive]:
        opening = self._peek()
        if opening is None or opening.text != "{":
            return self._directives(None)
        self._tokens.pop()
        return self._directives(opening._replace(text=key.text))

    def _directives(self, opening: Token | None) -> list[Directive]:
        """Up to the brace that ends a block; without an `opening` one, to the end of the file."""
        found: list[Directive] = []
        while (token := self._peek()) is not None:
            self._tokens.pop()
            if token.text == "}":
                if opening is None or not token.first:
                    raise _wrong(token, "'}' has to stand on a line of its own, and to end something")
                return found
            if token.text == "{":
                raise _wrong(token, "a directive was expected here, not '{'")
            if token.text == "import":
                self._put_in(token, found)
            else:
                found.append(self._directive(token, 0))
        if opening is not None:
            raise _wrong(opening, f"the block of {opening.text} that begins here has no closing '}}'")
        return found

    def _directive(self, name: Token, depth: int) -> Directive:
        args = self._arguments()
        opening = self._peek()
        if opening is None or opening.text != "{":
            return Directive(name, args)
        if depth >= DEEPEST:
            raise _wrong(opening, "braces are nested too deeply")
        self._tokens.pop()
        body: list[Directive] = []
        while (token := self._peek()) is not None:
            self._tokens.pop()
            if token.text == "}":
                return Directive(name, args, tuple(body))
            if token.text == "import" and token.first:
                self._put_in(token, body)
            elif token.text == "{":
                raise _wrong(token, f"an option of {name.text} was expected here, not '{{'")
            else:
                body.append(self._directive(token, depth + 1))
        raise _wrong(opening, f"the braces of {name.text} that begin here have no closing '}}'")

    def _arguments(self) -> tuple[Token, ...]:
        found = []
        while (token := self._peek()) is not None and not token.first and token.text not in _BRACES:
            found.append(self._tokens.pop())
        return tuple(found)

    def _keep_snippet(self, key: Token) -> None:
        opening = self._peek()
        name = key.text[1:-1]
        if opening is None or opening.text != "{":
            raise _wrong(key, f"the snippet {name} needs braces")
        if name in self._snippets:
            raise _wrong(key, f"there is a snippet {name} already")
        self._tokens.pop()
        found: list[Token] = []
        depth = 1
        while (token := self._peek()) is not None:
            self._tokens.pop()
            depth += (token.text == "{") - (token.text == "}")
            if depth == 0:
                self._snippets[name] = found
                return
            found.append(token)
        raise _wrong(opening, f"the snippet {name} that begins here has no closing '}}'")

    def _put_in(self, word: Token, found: list[Directive]) -> None:
        """Carry out `import`: a snippet's words come next; the import of a file is noted in `found`."""
        args = self._arguments()
        if len(args) != 1:
            raise _wrong(word, "import takes one name, of a snippet or of a file")
        snippet = self._snippets.get(args[0].text)
        if snippet is None:
            found.append(Directive(word, args))
            return
        self._budget -= len(snippet) + 1
        if self._budget < 0:
            raise _wrong(word, f"the snippet {args[0].text} imports without end")
        self._tokens.extend(reversed(snippet))
        if snippet:  # whatever stood before the import, this begins a line
            self._tokens[-1] = self._tokens[-1]._replace(first=True)


def _wrong(token: Token, message: str) -> CorefileError:
    return CorefileError(token.line, token.column, message)
