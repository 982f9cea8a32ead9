"""What the compiler of setup.py does differently from Python must not occur in what it compiles."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


def setup_module_of(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """setup.py, without anything being set up."""
    stand_in = ModuleType("setuptools")
    stand_in.setup = lambda **_: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "setuptools", stand_in)
    monkeypatch.delenv("NODELOCALDNS_COMPILE", raising=False)
    spec = importlib.util.spec_from_file_location("setup_under_test", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="compiled")
def _compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    patterns = setup_module_of(monkeypatch).COMPILED
    found = {pattern: sorted(ROOT.glob(pattern)) for pattern in patterns}
    assert all(found.values()), "a pattern that names nothing"
    return [path for paths in found.values() for path in paths]


def from_a_place_to_one_counted_from_the_end(code: str) -> list[int]:
    """The lines with a slice like data[10:-4]."""
    slices = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Slice)]
    return [
        part.upper.lineno
        for part in slices
        if part.lower is not None and isinstance(part.upper, ast.UnaryOp) and not isinstance(part.lower, ast.UnaryOp)
    ]


def test_no_slice_of_bytes_could_end_before_it_begins(compiled: list[Path]) -> None:
    # data[10:-4] of 12 bytes is b"" in Python and a SystemError in mypyc 2.4
    found = {
        str(path.relative_to(ROOT)): from_a_place_to_one_counted_from_the_end(path.read_text()) for path in compiled
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_such_a_slice_would_be_found() -> None:
    assert from_a_place_to_one_counted_from_the_end("a = b[10:-4]\nc = b[:-4] + b[-4:-2] + b[-1:]") == [1]
