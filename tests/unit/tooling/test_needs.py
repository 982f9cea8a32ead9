import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

ROOT = Path(needs.__file__).parent.parent


def run_pytest(folder: Path, body: str, **environment: str) -> tuple[int, str]:
    """Exit status and report of a test file of its own, run where no program can be found."""
    (folder / "test_it.py").write_text(f"import pytest\n\n{body}\n")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs: things\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "-rs",
            "--rootdir",
            ".",
            ".",
        ],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", needs.NO_SKIP: ""}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


NEEDY = """
from tests import needs
needs.HOW_TO_GET["no-such-program"] = "apt-get install it"

@pytest.mark.needs("no-such-program")
def test_that_needs_it():
    raise AssertionError("ran without what it needs")
"""


def test_a_test_is_skipped_with_the_line_that_installs_what_it_needs(tmp_path: Path) -> None:
    status, report = run_pytest(tmp_path, NEEDY)
    assert status == pytest.ExitCode.OK, report
    assert "needs no-such-program: apt-get install it" in report


def test_a_missing_need_fails_where_skips_are_refused(tmp_path: Path) -> None:
    status, report = run_pytest(tmp_path, NEEDY, **{needs.NO_SKIP: "1"})
    assert status == pytest.ExitCode.TESTS_FAILED, report
    assert "needs no-such-program: apt-get install it" in report


def test_a_file_that_skips_itself_fails_where_skips_are_refused(tmp_path: Path) -> None:
    status, report = run_pytest(tmp_path, 'pytest.importorskip("no_such_module")', **{needs.NO_SKIP: "1"})
    assert status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), report
    assert "no_such_module" in report


def test_an_expected_failure_is_not_taken_for_a_skip(tmp_path: Path) -> None:
    body = "@pytest.mark.xfail(strict=True)\ndef test_known():\n    raise AssertionError"
    status, report = run_pytest(tmp_path, body, **{needs.NO_SKIP: "1"})
    assert status == pytest.ExitCode.OK, report


def test_a_need_that_nobody_knows_how_to_meet_is_an_error() -> None:
    with pytest.raises(KeyError):
        needs.missing("unbuond")


def test_a_program_is_found_among_the_servers_that_are_not_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert (needs.find("ldconfig") or Path()).parent.name == "sbin"
