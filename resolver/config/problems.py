"""Mistakes in a configuration, as values: where, and what. All mistakes of a file go into one exception."""

from typing import NamedTuple


class Problem(NamedTuple):
    """One mistake.

    `path` is a key path such as zones[0].maxTTL, or "line 3, column 5" where the YAML itself is broken, or "" for the
    file as a whole.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(ValueError):
    """A configuration that cannot be used. `str()` gives one line per problem: `FILE: path.to.key: problem`."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = problems
