import sys
from pathlib import Path

from benchmarks.interpreter import Told, described, read

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
