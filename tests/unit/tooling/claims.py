"""Tables whose last column is "shown by": each row names what would fail if its claim were broken, and that exists.

A page gets this check by having such a table; nothing is registered anywhere. What shows a claim is written as
`tests/folder/test_x.py::test_name`, `...::TestClass::test_name`, or as a file that a test reads (a scenario).
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
HEADING = "shown by"
_NAMED = re.compile(r"`(tests/[^`]+)`")
_CELLS = re.compile(r"(?<!\\)\|")


class Claim(NamedTuple):
    """One row of such a table."""

    page: str
    line: int
    """Where in the page, from 1."""
    cells: tuple[str, ...]
    proofs: tuple[str, ...]
    """What its last cell names."""


def claims(page: str, text: str) -> list[Claim]:
    """All rows of all tables of a page whose last column is "shown by"."""
    found: list[Claim] = []
    columns = 0  # of the table that this line is in; 0: none of ours
    for number, line in enumerate(text.splitlines(), 1):
        cells = tuple(cell.strip() for cell in _CELLS.split(line)[1:-1]) if line.startswith("|") else ()
        if cells[-1:] == (HEADING,):
            columns = len(cells)
        elif not cells:
            columns = 0
        elif columns and set(line) - set("|-: "):
            proofs = tuple(_NAMED.findall(cells[-1])) if len(cells) == columns else ()
            found.append(Claim(page, number, cells, proofs))
    return found


def problem(proof: str, root: Path = ROOT) -> str:
    """Why this proves nothing; empty: it is there."""
    path, _, name = proof.partition("::")
    if not (root / path).is_file():
        return f"there is no {path}"
    if not path.endswith(".py"):
        return f"{path} has no tests in it" if name else ""
    if not name:
        return f"say which test of {path}"
    return "" if name in _tests(root / path) else f"{path} has no {name}"


@cache
def _tests(path: Path) -> frozenset[str]:
    """`test_name` and `TestClass::test_name` of a file, and its classes."""
    names = set[str]()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            names.update(f"{node.name}::{it.name}" for it in node.body if isinstance(it, ast.FunctionDef))
    return frozenset(names)
