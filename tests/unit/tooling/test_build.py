from pathlib import Path

import pytest

from tests import needs
from tests.servers.build import CannotBuildError, build, built_path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "go.mod").write_text("module server\n\ngo 1.26.0\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    return folder


def test_a_changed_pin_is_another_program(module: Path) -> None:
    before = built_path(module)
    assert built_path(module) == before
    (module / "go.sum").write_text("another pin\n")
    assert built_path(module) != before


def test_a_program_that_was_built_needs_no_go(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_path(module).parent.mkdir(parents=True)
    built_path(module).write_bytes(b"built before")
    monkeypatch.setattr(needs, "find", lambda name: None)
    assert build(module).read_bytes() == b"built before"


def test_without_go_the_error_says_what_to_install(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find", lambda name: None)
    with pytest.raises(CannotBuildError, match="needs go: install Go"):
        build(module)


@pytest.mark.e2e
@pytest.mark.needs("go")
def test_what_go_says_about_a_mistake_is_in_the_error(module: Path) -> None:
    (module / "main.go").write_text("package main\n\nfunc main() { undefinedName() }\n")
    with pytest.raises(CannotBuildError, match="undefinedName"):
        build(module)
    assert not built_path(module).exists()
