"""docs/answers.md names tests as proof; a proof that does not exist proves nothing."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
RULES = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| rule")]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


def defined(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize("named", NAMED)
def test_every_test_on_the_page_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert (ROOT / path).is_file()
    assert bool(name) is path.endswith(".py")
    if name:
        assert name in defined(ROOT / path)


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
def test_every_rule_on_the_page_names_a_test(rule: str) -> None:
    assert "`tests/" in rule
