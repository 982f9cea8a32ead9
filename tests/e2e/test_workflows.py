"""The workflows of the repository's host, as its own linter reads them."""

import subprocess
from pathlib import Path

import pytest

from tests.servers.build import build

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(str(path.relative_to(ROOT)) for path in FOLDER.glob("*.yml"))

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]


def lint(*files: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    linter = build(ROOT / "tests" / "servers" / "actionlint")
    # Without programs that a machine may or may not have, or the result would depend on it.
    options = ("-no-color", "-shellcheck=", "-pyflakes=")
    return subprocess.run([str(linter), *options, *files], cwd=folder, capture_output=True, text=True, check=False)


def test_workflows_are_right() -> None:
    assert len(WORKFLOWS) == len(list(FOLDER.iterdir())) > 0
    done = lint(*WORKFLOWS)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_wrong_one_would_be_found(tmp_path: Path) -> None:
    text = (FOLDER / "release.yml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yml").write_text(text.replace("steps.image.outputs.digest", "steps.picture.outputs.digest"))
    done = lint("wrong.yml", folder=tmp_path)
    assert done.returncode == 1
    assert 'property "picture" is not defined' in done.stdout
