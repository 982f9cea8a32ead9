"""YAML text to plain values, without YAML's surprises. The only importer of PyYAML.

Only the types that JSON has are constructed: YAML 1.1 would turn a date or a `!!binary` into something no key wants.
A key that is written twice is a mistake, where YAML would silently take the second. The loader is the one in pure
Python: the one built on libyaml crashes the process on deep nesting, and a file of forty lines takes milliseconds.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import yaml

from resolver.config.problems import Problem

MOST_DEEP: Final = 32
"""Lists and mappings in each other. PyYAML's time grows with the square of it; a DaemonSet needs 15."""
MOST_MERGED: Final = 1024
"""Keys of a mapping with those that `<<` brings, which multiply where what is merged merges others."""
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Collects repeated keys in `problems` instead of stopping at the first. RecursionError: nested too deeply."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[Problem] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        if isinstance(node, yaml.MappingNode):
            self._find_repeated_keys(node)
        return super().construct_mapping(node, deep)

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:  # noqa: N803 - PyYAML's
        if self.flow_level >= MOST_DEEP:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        if len(self.indents) > MOST_DEEP:
            raise RecursionError
        return bool(super().add_indent(column))

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        merged = 0
        for key, value in node.value:
            if key.tag == _MERGE:
                for each in value.value if isinstance(value, yaml.SequenceNode) else (value,):
                    if isinstance(each, yaml.MappingNode):
                        self.flatten_mapping(each)
                        merged += len(each.value)
                    if merged > MOST_MERGED:
                        raise yaml.constructor.ConstructorError(None, None, "too many keys are merged", key.start_mark)
        super().flatten_mapping(node)

    def _find_repeated_keys(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:  # before PyYAML merges `<<`, which may repeat keys on purpose
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.problems.append(Problem(_place(key.start_mark), f"the key {key.value!r} is written twice"))
                seen.add(key.value)


_JSON_TYPES = ("null", "bool", "int", "float", "str", "seq", "map")
_Loader.yaml_constructors = {
    tag: yaml.SafeLoader.yaml_constructors[tag]
    for tag in (*(f"tag:yaml.org,2002:{name}" for name in _JSON_TYPES), None)  # None: any other tag is an error
}
# A plain word that looks like a date stays a word, so that the schema can say what it expected instead.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> tuple[Any, tuple[Problem, ...]]:
    """Return the value of the one document in `text`, None if there is none, and what is wrong with the YAML.

    Nothing is raised. Text that is not YAML has the value None; a key that is written twice has its last value.
    """

    def read() -> tuple[Any, tuple[Problem, ...]]:
        loader = _Loader(text)
        return loader.get_single_data(), tuple(loader.problems)

    found = _or_problem(read)
    return (None, (found,)) if isinstance(found, Problem) else found


class Placed(str):
    """A text with its place: the line of its beginning, from 1. `literal`: it is a block begun with `|` there.

    Of such a block each line is a line of the file, the first one below `line`, indented by `indent` blanks.
    """

    __slots__ = ("indent", "line", "literal")
    line: int
    indent: int
    literal: bool


class _PlacingLoader(_Loader):
    """Its texts are `Placed`; `lines` are those of the whole file."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lines = text.splitlines()


def _placed(loader: _PlacingLoader, node: yaml.ScalarNode) -> Placed:
    found = Placed(loader.construct_scalar(node))
    found.line = node.start_mark.line + 1
    found.literal = node.style == "|"
    found.indent = _indent_below(loader.lines, found.line) if found.literal else 0
    return found


_PlacingLoader.yaml_constructors = {**_Loader.yaml_constructors, "tag:yaml.org,2002:str": _placed}


def _indent_below(lines: list[str], line: int) -> int:
    """By how many blanks the first line below is indented that is not empty."""
    below = next((each for each in lines[line:] if each.strip()), "")
    return len(below) - len(below.lstrip(" "))


def parse_documents(text: str) -> tuple[Any, ...] | Problem:
    """Return the values of all documents in `text`, every text in them a `Placed`; or what is wrong with the YAML."""

    def read() -> tuple[Any, ...]:
        loader = _PlacingLoader(text)
        found = []
        while loader.check_data():  # type: ignore[no-untyped-call]
            found.append(loader.get_data())
        return tuple(found)

    return _or_problem(read)


_T = TypeVar("_T")


def _or_problem(read: Callable[[], _T]) -> _T | Problem:
    try:
        return read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Problem(_place(mark) if mark else "", f"not YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        return Problem("", f"not YAML: {error.reason} at character {error.position}")
    except RecursionError:
        return Problem("", "not usable: nested too deeply")
    except (yaml.YAMLError, ValueError, LookupError, TypeError) as error:  # what `!!int x` and the like end in
        return Problem("", f"not YAML: {error}")


def _place(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
