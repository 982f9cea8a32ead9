import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measure import Run
from benchmarks.publish import README, TABLES, Place, publish
from benchmarks.results import Described, Results

ROOT = Path(__file__).parents[3]
MACHINE = {"date": "2026-01-01", "processor": "a processor", "cores": 2, "kernel": "6.1", "python": "", "minutes": 1.0}
RESULTS = Results(
    MACHINE, [Described("ours", "nodelocaldns")], [Described("cached", "cached")], [Run("ours", "cached", 0, user=7.5)]
)


README_TEXT, TABLES_TEXT = ((ROOT / place.page).read_text(encoding="utf-8") for place in (README, TABLES))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for place in (README, TABLES):
        (tmp_path / place.page).parent.mkdir(exist_ok=True)
        (tmp_path / place.page).write_text((ROOT / place.page).read_text())
    return tmp_path


def test_publishing_again_replaces_what_was_published(repository: Path) -> None:
    publish(RESULTS, repository)
    once = [(repository / place.page).read_text() for place in (README, TABLES)]
    publish(RESULTS, repository)
    assert [(repository / place.page).read_text() for place in (README, TABLES)] == once


@pytest.mark.parametrize("place", [README, TABLES])
def test_a_published_chart_is_where_the_page_looks_for_it(repository: Path, place: Place) -> None:
    publish(RESULTS, repository)
    page = repository / place.page
    (target,) = re.findall(r"!\[.*?\]\((.*?bench\.svg)\)", page.read_text())
    assert ">7.5</text>" in (page.parent / target).read_text()


MEMORY = re.compile(
    r"take ([\d.]+) MiB .* ([\d.]+) MiB with 10,000 names; (.+) then takes ([\d.]+) MiB.* ([\d.]+) ms after"
)


def test_figures_of_the_readme_are_those_of_the_tables() -> None:
    said = MEMORY.search(README_TEXT.replace("\n", " "))
    assert said is not None
    empty, full, peer, other, first = said.groups()
    lines = TABLES_TEXT.partition("### Memory and start\n")[2].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    ours = next(row for row in rows if row[0].startswith("nodelocaldns "))
    theirs = next(row for row in rows if row[0].startswith(peer))
    assert (ours[1], ours[2], theirs[2], ours[4]) == (empty, full, other, first)


def test_what_was_measured_of_memory_is_said_in_the_readme(repository: Path) -> None:
    runs = [
        Run("ours", "cached", 0, user=7.5, empty_mebibytes=20.04, memory_mebibytes=24, first_answer_seconds=0.2),
        Run("nodelocal", "cached", 0, user=30.0, memory_mebibytes=41.26),
    ]
    publish(replace(RESULTS, runs=runs), repository)
    said = MEMORY.search((repository / README.page).read_text().replace("\n", " "))
    assert said is not None
    assert said.groups() == ("20.0", "24.0", "nodelocal", "41.3", "200")


def test_what_stands_around_the_marks_stays(repository: Path) -> None:
    before = (repository / TABLES.page).read_text()
    publish(RESULTS, repository)
    after = (repository / TABLES.page).read_text()
    assert after.partition(TABLES.begin)[0] == before.partition(TABLES.begin)[0]
    assert after.partition(TABLES.end)[2] == before.partition(TABLES.end)[2]


def test_a_page_without_marks_is_refused(repository: Path) -> None:
    (repository / README.page).write_text("no marks")
    with pytest.raises(ValueError, match=r"README\.md"):
        publish(RESULTS, repository)
