"""What the table of resolver.yaml is made of: sections of keys, lists, and checks at the leaves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resolver.config.problems import Problem
    from resolver.config.quantities import Check


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items are all alike. No two may be equal; `may_be_empty` if the empty list means something."""

    item: "Check[Any] | Section"
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping.

    `field` is the field it sets. `default` and `example` are YAML text for the documentation, where None
    means that the key must be written; the default that counts is the value's, and a test compares the two.
    `restart`: a change takes effect only when the process starts again.
    """

    name: str
    field: str
    value: "Check[Any] | ListOf | Section"
    default: str | None
    meaning: str
    example: str = ""
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping: `build` makes the value of the fields that were given, `review` finds what only shows in the whole."""

    meaning: str
    keys: tuple[Key, ...]
    build: Callable[..., Any]
    review: Callable[[Any], "Iterator[Problem]"] = lambda _: iter(())
