"""Text to Config: walk the table of schema.py over the parsed YAML and collect every mistake on the way.

A mapping or list in which something was wrong has no value (`_WRONG`), so that rules about a whole are only asked of
wholes; all other parts are still checked, and the reader of the message fixes the file in one go.
"""

from collections.abc import Mapping
from typing import Any, cast

from resolver.config.environment import UnsetVariableError, expand
from resolver.config.problems import ConfigError, Problem
from resolver.config.quantities import Check, complaint, describe
from resolver.config.schema import CONFIG
from resolver.config.shape import ListOf, Section
from resolver.config.values import Config

_WRONG = object()


def load(text: str, source: str, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration that `text` describes; an empty text describes the defaults.

    `source` is the file's name, for messages; `environ` has the variables that texts like "$(NAME)" stand for. Raises
    ConfigError, and nothing else, with all problems found.
    """
    from resolver.config.yamltext import parse_yaml  # noqa: PLC0415 - 1.5 MiB that a worker with a ready Config saves

    data, problems = parse_yaml(text)
    return build(data, source, problems, environ)


def build(
    data: object, source: str, problems: tuple[Problem, ...] = (), environ: Mapping[str, str] | None = None
) -> Config:
    """Return the configuration that parsed YAML describes, None being an empty file; raises ConfigError as `load` does.

    `problems` are those that were found on the way there.
    """
    return cast("Config", build_as(CONFIG, data, source, problems, environ))


def build_as(
    table: Section,
    data: object,
    source: str,
    problems: tuple[Problem, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> object:
    """Return what `table` makes of parsed YAML, whichever file it describes; otherwise like `build`."""
    reader = _Reader(problems, environ or {})
    result = reader.value({} if data is None else data, table, "")
    if reader.problems:
        raise ConfigError(source, tuple(reader.problems))
    return result


class _Reader:
    """One walk over one file."""

    def __init__(self, problems: tuple[Problem, ...], environ: Mapping[str, str]) -> None:
        self.problems = list(problems)
        self._environ = environ

    def value(self, data: object, shape: "Check[Any] | ListOf | Section", path: str) -> object:
        """The value of `data`, or _WRONG after a problem."""
        match shape:
            case Section():
                return self._section(data, shape, path)
            case ListOf():
                return self._list(data, shape, path)
        try:
            told = self._told(data)
        except UnsetVariableError as error:
            return self._wrong(path, str(error))
        try:
            return shape.parse(told)
        except ValueError:
            return self._wrong(path, complaint(shape.expected, told))

    def _told(self, data: object) -> object:
        """With the values of the variables that its texts name."""
        if isinstance(data, dict):
            return {name: self._told(value) if isinstance(value, str) else value for name, value in data.items()}
        return expand(data, self._environ) if isinstance(data, str) else data

    def _wrong(self, path: str, message: str) -> object:
        self.problems.append(Problem(path, message))
        return _WRONG

    def _section(self, data: object, section: Section, path: str) -> object:
        if not isinstance(data, dict):
            return self._wrong(path, complaint("a mapping", data))
        before = len(self.problems)
        keys = {key.name: key for key in section.keys}
        fields: dict[str, object] = {}
        for name, value in data.items():
            if name in keys:
                fields[keys[name].field] = self.value(value, keys[name].value, _below(path, name))
            else:
                self._wrong(_below(path, name), _unknown(name, keys))
        for key in section.keys:
            if key.default is None and key.name not in data:
                self._wrong(_below(path, key.name), "is missing")
        if len(self.problems) > before:
            return _WRONG
        result = section.build(**fields)
        found = [Problem(_below(path, problem.path), problem.message) for problem in section.review(result)]
        self.problems += found
        return _WRONG if found else result

    def _list(self, data: object, shape: ListOf, path: str) -> object:
        if not isinstance(data, list):
            return self._wrong(path, complaint("a list", data))
        if not data and not shape.may_be_empty:
            return self._wrong(path, "must not be empty")
        before = len(self.problems)
        items: dict[object, None] = {}  # in order, each once
        for index, value in enumerate(data):
            item = self.value(value, shape.item, f"{path}[{index}]")
            if item is not _WRONG and item in items:
                self._wrong(f"{path}[{index}]", "is listed twice")
            items[item] = None
        return _WRONG if len(self.problems) > before else tuple(items)


def _below(path: str, name: object) -> str:
    text = name if isinstance(name, str) and name.isprintable() and len(name) <= 60 else f"({describe(name)})"
    return f"{path}.{text}" if path else text


def _unknown(name: object, known: dict[str, Any]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a file with mistakes

    folded = {key.lower(): key for key in known}
    nearest = get_close_matches(name.lower(), folded, n=1) if isinstance(name, str) else []
    hint = f"did you mean {folded[nearest[0]]}?" if nearest else "known here: " + ", ".join(known)
    return f"unknown key, {hint}"
