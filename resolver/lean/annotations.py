"""What modules take from `typing` in order to annotate, without `typing`: nothing here asks annotations back.

The real module takes 0.4 MiB, and 0.5 with the regular expressions that it imports. `defer_typing` has `import typing`
find the names below instead, until somebody asks for another one: then the real module is loaded, with all of them.
"""

import collections
import collections.abc
from collections.abc import Callable, Iterable

from resolver.lean.deferred import defer

TYPE_CHECKING = False  # as typing's, which is not to be imported here
if TYPE_CHECKING:
    from typing import Any


def defer_typing() -> None:
    """To be called before anything imports typing; no change where it is imported already."""
    defer("typing", {**_ALIASES, **dict.fromkeys(_FORMS, _Form()), **_USED})


class _Form:
    """Stands for anything that only means something to who checks types."""

    __slots__ = ()

    def __getitem__(self, _of: object) -> "_Form":
        return self

    def __or__(self, _other: object) -> "_Form":
        return self

    __ror__ = __or__

    def __call__(self, *_arguments: object, **_named: object) -> "_Form":
        return self  # TypeVar("T")


class _Generic:
    """A base class that takes parameters."""

    __slots__ = ()

    def __class_getitem__(cls, _of: object) -> type:
        return cls


class _Protocol(_Generic):
    __slots__ = ()


class _Fields(tuple):  # type: ignore[type-arg]
    """What all tuples with names have in common, which `collections.namedtuple` makes anew for each: 2 KiB."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({told})"

    def __getnewargs__(self) -> "tuple[Any, ...]":
        return tuple(self)

    @classmethod
    def _make(cls, values: "Iterable[Any]") -> "_Fields":
        return cls(*values)

    def _asdict(self) -> "dict[str, Any]":
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **changed: object) -> "_Fields":
        made = self._make(changed.pop(name, value) for name, value in zip(self._fields, self, strict=True))
        if changed:
            raise ValueError(f"Got unexpected field names: {list(changed)!r}")
        return made


_PLACE = collections._tuplegetter  # type: ignore[attr-defined]  # noqa: SLF001 - in C


class _NamedTupleMeta(type):
    """Makes what typing's own makes: a tuple with names, and what else the class has."""

    def __new__(cls, name: str, _bases: tuple[type, ...], body: "dict[str, Any]") -> type:
        fields = tuple(body.get("__annotations__", ()))
        defaults = {field: body[field] for field in fields if field in body}
        made = {key: value for key, value in body.items() if key not in _OF_ALL_CLASSES}
        made.update((field, _PLACE(place, None)) for place, field in enumerate(fields))
        # As collections.namedtuple does it: nothing else that is called with names makes a tuple as quickly.
        told = f"({', '.join(fields)}{',' * (len(fields) == 1)})"
        new = eval(f"lambda _cls, {told[1:-1]}: _new(_cls, {told})", {"_new": tuple.__new__, "__builtins__": {}})  # noqa: S307
        new.__defaults__ = tuple(defaults.values())
        made.update(
            __module__=body["__module__"], __slots__=(), __new__=new, __match_args__=fields,
            _fields=fields, _field_defaults=defaults,
        )  # fmt: skip
        return type(name, (_Fields,), made)


_OF_ALL_CLASSES = frozenset(["__module__", "__qualname__", "__annotations__", "__dict__", "__weakref__"])
_NAMED_TUPLE = type.__new__(_NamedTupleMeta, "NamedTuple", (), {})


class _NamedTuple:
    """What `class X(NamedTuple)` names as its base."""

    def __mro_entries__(self, _bases: object) -> tuple[type, ...]:
        return (_NAMED_TUPLE,)


def _second(_type: object, value: object) -> object:
    return value


def _same(decorated: object) -> object:
    return decorated


_USED: dict[str, object] = {
    "TYPE_CHECKING": False,
    "Generic": _Generic,
    "Protocol": _Protocol,
    "NamedTuple": _NamedTuple(),
    "NamedTupleMeta": _NamedTupleMeta,  # with _NamedTuple what mypyc makes tuples with names of
    "_NamedTuple": _NAMED_TUPLE,
    "_GenericAlias": type("_GenericAlias", (), {}),
    "cast": _second,
    "final": _same,
    "overload": _same,
}
_ALIASES: dict[str, object] = {
    "Tuple": tuple,
    "List": list,
    "Dict": dict,
    "Set": set,
    "Type": type,
    "Callable": Callable,
    "Iterable": collections.abc.Iterable,
    "Mapping": collections.abc.Mapping,
    "Sequence": collections.abc.Sequence,
}
_FORMS = ("Any", "AnyStr", "ClassVar", "Final", "Literal", "NoReturn", "Optional", "Pattern", "TypeVar", "Union")
