"""Closed sets of words, as `enum.StrEnum` makes them, without `enum`: 0.3 MiB of a supervisor, which needs no other.

Type checkers see a StrEnum. What runs has of it what configuration and states use: one object per word, found by
attribute, by calling the class and by iterating; `name` and `value`; methods and properties of its own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enum import StrEnum as Words

    __all__ = ["Words"]
else:

    class _Kind(type):
        """The class of such classes."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> "_Kind":
            told = {key: value for key, value in body.items() if isinstance(value, str) and not key.startswith("__")}
            made = super().__new__(cls, name, bases, {key: body[key] for key in body if key not in told})
            made._members = {}
            for key, value in told.items():
                member = made._members[value] = str.__new__(made, value)
                member.name, member.value = key, value
                setattr(made, key, member)
            return made

        def __call__(cls, value: object) -> object:
            """The word with this value; raises ValueError where there is none."""
            member = cls._members.get(value) if isinstance(value, str) else None
            if member is None:
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}")
            return member

        def __iter__(cls) -> Iterator[object]:
            return iter(cls._members.values())

        def __contains__(cls, value: object) -> bool:
            return value in cls._members.values()

        def __len__(cls) -> int:
            return len(cls._members)

    class Words(str, metaclass=_Kind):
        """See the module."""

        __slots__ = ("name", "value")

        def __repr__(self) -> str:
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __reduce__(self) -> tuple[type, tuple[str]]:
            return type(self), (self.value,)  # whoever copies it has the same object
