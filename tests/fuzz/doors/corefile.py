"""Corefiles, and the Kubernetes objects around them, on their way to resolver.yaml: a good one or MigrationError.

That the result is a good one is what `convert` looks at itself, and takes most of its time for. Most changes of an
input lead to a result that was there before, which is not read again.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

from resolver import migration
from resolver.config import load
from resolver.migration import FORMS, MigrationError, convert

VALUES = {"__PILLAR__CLUSTER__DNS__": "10.96.0.11", "X": "10.96.0.12"}
KNOWN_RESULTS = 2_000
_CASES = Path(__file__).parents[2] / "cases" / "migration"


_load_once = lru_cache(KNOWN_RESULTS)(load)


def seeds() -> Iterator[bytes]:
    for path in sorted([*_CASES.glob("*.corefile"), *_CASES.glob("*.yaml")]):
        if not path.name.endswith("resolver.yaml"):
            yield b"\0" + path.read_bytes()
    yield b"\1. {\n forward . 192.0.2.1 {\n force_tcp\n }\n cache 30\n bind 169.254.20.10\n}\n"


def check(data: bytes) -> None:
    if not data:
        return
    try:
        with patch.object(migration, "load", _load_once):
            conversion = convert(data[1:].decode("utf-8", "replace"), "f", VALUES, form=FORMS[data[0] % len(FORMS)])
    except MigrationError as error:
        assert str(error), "an error says what is wrong"
        return
    assert all(str(remark).isprintable() for remark in conversion.remarks)
