import sys
from pathlib import Path

import pytest

from benchmarks import interpreter
from benchmarks.interpreter import Told, chosen, described, read

PATH = Path("python")


def told(arguments: str = "", prefix: str = "/opt/python") -> Told:
    return {"version": [3, 11, 2], "arguments": arguments, "prefix": prefix, "venv": True}


def test_an_interpreter_says_its_version() -> None:
    assert described(Path(sys.executable)).version == ".".join(map(str, sys.version_info[:3]))


def test_an_interpreter_configured_with_optimizations_is_optimised() -> None:
    found = read(PATH, told("'--enable-optimizations' '--with-lto'"))
    assert found.title == "Python 3.11.2, optimised build"


def test_an_interpreter_configured_without_is_named_as_such() -> None:
    assert "NOT an optimised build" in read(PATH, told("'--enable-shared'")).title


def test_a_distributions_interpreter_is_optimised_though_its_arguments_do_not_say_so() -> None:
    assert read(PATH, told("'--enable-shared'", prefix="/usr")).title.endswith("optimised build (the distribution's)")


def test_an_optimised_interpreter_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_told", lambda _path: told("--enable-optimizations"))
    assert chosen.__wrapped__().path == Path(sys.executable)


def test_a_distribution_without_venv_is_not_used_and_a_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    distribution = tmp_path / "python3"
    distribution.touch()
    bare: Told = {**told(prefix="/usr"), "venv": False}
    monkeypatch.setattr(interpreter, "DISTRIBUTION", distribution)
    monkeypatch.setattr(interpreter, "_told", lambda path: bare if path == distribution else told())
    assert not chosen.__wrapped__().optimised
    assert "apt-get install python3-venv" in capsys.readouterr().err
