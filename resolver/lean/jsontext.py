"""JSON by the half of the module json that is written in C, without the regular expressions of its other half.

json and re take 0.3 MiB of a supervisor, which needs them for nothing else. Where an interpreter has no such half (it
is no interface that Python promises), json itself does the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Dumps(Protocol):
    """As `json.dumps`, in the shortest form; raises TypeError for what JSON has no word for."""

    def __call__(
        self, value: object, *, ensure_ascii: bool = True, default: Callable[[Any], Any] | None = None
    ) -> str: ...


Loads = Callable[[str | bytes | bytearray], Any]
"""As `json.loads`, of text in UTF-8; raises ValueError for what is no JSON."""


def indented(value: object, before: str = "\n") -> str:
    """As `json.dumps` with `indent=2`, for people; keys are text. `before` is what a new line begins with."""
    inner = before + "  "
    if isinstance(value, Mapping) and value:
        items = [f"{dumps(key)}: {indented(each, inner)}" for key, each in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{before}}}"
    if isinstance(value, list | tuple) and value:
        return f"[{inner}{f',{inner}'.join(indented(each, inner) for each in value)}{before}]"
    return dumps(value)


def _in_c() -> tuple[Dumps, Loads]:
    """Raises ImportError."""
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner  # noqa: PLC0415

    class Rules:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int, parse_constant = float, int, float

    scan = make_scanner(Rules)  # type: ignore[arg-type]

    def dumps(value: object, *, ensure_ascii: bool = True, default: Callable[[Any], Any] | None = None) -> str:
        text = encode_basestring_ascii if ensure_ascii else encode_basestring
        encode = make_encoder({}, default or _refuse, text, None, ":", ",", False, False, True)
        return "".join(encode(value, 0))

    def loads(text: str | bytes | bytearray) -> object:
        told = (text if isinstance(text, str) else text.decode()).strip(" \t\n\r")
        try:
            value, end = scan(told, 0)
        except (StopIteration, SystemError):  # the latter where json's own error is not imported
            value, end = None, -1
        if end != len(told):
            return _by_json()[1](told)  # which says what is wrong
        return value

    return dumps, loads


def _by_json() -> tuple[Dumps, Loads]:
    import json  # noqa: PLC0415

    def dumps(value: object, *, ensure_ascii: bool = True, default: Callable[[Any], Any] | None = None) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, default=default, separators=(",", ":"))

    return dumps, json.loads


def _refuse(value: object) -> object:
    raise TypeError(f"no JSON for {type(value).__name__}")


try:
    dumps, loads = _in_c()
except (ImportError, TypeError):
    dumps, loads = _by_json()
