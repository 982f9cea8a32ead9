"""A worker whose user cannot read the program imports all of it while it still can."""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.supervisor.beforehand import COMMANDS, LIBRARIES, can_read, is_needed
from resolver.supervisor.identity import Identity
from tests.bare import REPOSITORY, said_by

SOMEBODY = Identity(54321, 54321, (54322,))
WITH_ALL = (
    "import resolver.lean\nresolver.lean.begin()\nimport sys\nimport resolver.main, resolver.supervisor.supervisor\n"
    "from resolver.supervisor import beforehand\nresolver.main._import_worker()\nbeforehand.import_all()\n"
)


def imported_late() -> Iterator[str]:
    """What functions of modules that a worker may have import."""
    for path in (REPOSITORY / "resolver").rglob("*.py"):
        module = path.relative_to(REPOSITORY / "resolver").with_suffix("").parts
        if module[0] in COMMANDS:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (name.name for name in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module


def test_all_that_is_imported_late_is_there_afterwards_and_nothing_is_left_deferred() -> None:
    wanted = sorted(set(imported_late()) | set(LIBRARIES))
    assert "cachetools" in wanted
    assert "resolver.survey.survey" in wanted
    code = (
        "from resolver.lean.deferred import _Loading\n"
        f"print([name for name in {wanted} if name not in sys.modules],\n"
        "      [name for name, module in sys.modules.items() if isinstance(vars(module).get('__getattr__'), _Loading)])"
    )
    assert said_by(WITH_ALL + code) == "[] []"


@pytest.mark.parametrize(
    ("mode", "owner", "there"),
    [
        (0o700, (0, 0), False),
        (0o750, (0, 54321), True),
        (0o750, (0, 54322), True),
        (0o705, (0, 54321), False),
        (0o701, (0, 0), True),
        (0o077, (54321, 0), False),
    ],
)
def test_whether_a_user_gets_to_a_place_is_told_by_the_modes_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: tuple[int, int], there: bool
) -> None:
    place = tmp_path / "above" / "modules"
    place.mkdir(parents=True)
    real = os.stat

    def stat(path: str) -> os.stat_result:
        """As if all that is above belonged to everybody, and one folder to others."""
        status = list(real(path))
        status[0], status[4], status[5] = 0o40755, 0, 0
        if Path(path) == tmp_path / "above":
            status[0], (status[4], status[5]) = 0o40000 | mode, owner
        return os.stat_result(status)

    monkeypatch.setattr(sys, "path", [str(place), str(tmp_path / "missing")])
    monkeypatch.setattr("resolver.supervisor.beforehand.os.stat", stat)
    assert can_read(SOMEBODY) is there
    assert can_read(Identity(0, 0, ()))


def test_it_is_needed_for_a_user_who_is_known_and_cannot_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    tmp_path.chmod(0o700)
    assert is_needed("54321")
    assert not is_needed("")
    assert not is_needed("0")
    assert not is_needed("no such user")
