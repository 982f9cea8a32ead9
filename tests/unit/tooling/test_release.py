"""A release has one version: that of the package, the chart, the image and the changelog."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from resolver import __version__
from tests.lab.helm import render

ROOT = Path(__file__).parents[3]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CHART = yaml.safe_load((ROOT / "charts" / "nodelocaldns" / "Chart.yaml").read_text(encoding="utf-8"))
TAG = f"v{__version__}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What packaging/release reads, with a changelog that has a chapter for this version."""
    for name in ("packaging/release", "resolver/__init__.py", "charts/nodelocaldns/Chart.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    chapters = (
        "# Changelog",
        "## [Unreleased]",
        "- Later.",
        f"## [{__version__}] - 2026-01-02",
        "### Added",
        "- This.",
    )
    (tmp_path / "CHANGELOG.md").write_text("\n\n".join([*chapters, "## [0.0.1]", "- Old."]) + "\n")
    return tmp_path


def release(repository: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["packaging/release", *arguments], cwd=repository, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_package_chart_and_image_have_one_version() -> None:
    assert (CHART["version"], CHART["appVersion"]) == (__version__, __version__)
    images = {
        container["image"]
        for each in render({})
        if each["kind"] in {"DaemonSet", "Deployment"}
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert images == {f"ghcr.io/nodelocaldns/nodelocaldns:{__version__}"}


def test_the_image_calls_itself_by_the_version_unless_told_otherwise() -> None:
    assert re.findall(r"^ARG VERSION=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE) == [
        __version__
    ]


def test_the_newest_chapter_of_the_changelog_is_this_version_or_what_is_not_released_yet() -> None:
    chapters = re.findall(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)
    assert chapters[0] in {"Unreleased", __version__}
    assert [chapter for chapter in chapters if chapter != "Unreleased"][:1] in ([], [__version__])


def test_the_notes_of_a_release_are_its_chapter(repository: Path) -> None:
    assert release(repository, "check", TAG) == (0, "", "")
    assert release(repository, "notes", TAG) == (0, "### Added\n\n- This.\n\n", "")


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        ("resolver/__init__.py", __version__, "9.9.9", "resolver/__init__.py says 9.9.9"),
        (
            "charts/nodelocaldns/Chart.yaml",
            f'appVersion: "{__version__}"',
            'appVersion: "9.9.9"',
            "the chart's appVersion is 9.9.9",
        ),
        (
            "charts/nodelocaldns/Chart.yaml",
            f"\nversion: {__version__}",
            "\nversion: 9.9.9",
            "the chart's version is 9.9.9",
        ),
        ("CHANGELOG.md", f"## [{__version__}]", "## [9.9.9]", "CHANGELOG.md has no chapter"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(
    repository: Path, file: str, before: str, after: str, complaint: str
) -> None:
    text = (repository / file).read_text()
    assert before in text
    (repository / file).write_text(text.replace(before, after))
    status, _, said = release(repository, "check", TAG)
    assert status == 1
    assert complaint in said


@pytest.mark.parametrize("arguments", [(), ("check",), ("check", "main"), ("publish", TAG)])
def test_anything_else_is_refused_with_how_to_call_it(repository: Path, arguments: tuple[str, ...]) -> None:
    status, _, said = release(repository, *arguments)
    assert (status, said) == (1, "packaging/release: usage: packaging/release check|notes vVERSION\n")
