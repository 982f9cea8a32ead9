"""Every input that is kept is checked again, in milliseconds; what a fuzzer would do with more is `make fuzz`."""

import subprocess
import sys

import pytest

from tests.fuzz.replay import replay
from tests.fuzz.report import BEGIN, PAGE, RECORDED, Run, branches_reached, read_output, rewrite, table
from tests.fuzz.targets import CORPUS, CRASHES, DOORS, READ_BY, kept, most_bytes


@pytest.mark.parametrize("name", DOORS)
def test_no_kept_input_breaks_its_door(name: str) -> None:
    """In a process of its own: doors change clocks and handlers of the code that they look at."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.replay", name], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert int(said.stdout) > len(kept(CORPUS, name)) > 0, "the seeds, and what fuzzing has kept"


def test_what_is_kept_belongs_to_a_door_and_is_small() -> None:
    for folder in (CORPUS, CRASHES):
        assert {each.name for each in folder.iterdir()} <= set(DOORS)
        for name in DOORS:
            assert all(path.stat().st_size <= most_bytes(name) for path in kept(folder, name))
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 2 << 20


def test_what_was_broken_once_is_still_seen_as_broken_by_its_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """A door that no longer looks would let everything pass."""
    from resolver.message import walk

    monkeypatch.setattr(walk, "bisect_left", lambda places, _: len(places))
    with pytest.raises(AssertionError, match="nobody has sent"):
        replay("answer")


def test_the_page_has_the_recorded_run_of_every_door() -> None:
    import json

    runs = [Run(**each) for each in json.loads(RECORDED.read_text())]
    assert [run.door for run in runs] == list(DOORS)
    assert not any(run.broken for run in runs)
    assert [run.fixed for run in runs] == [len(kept(CRASHES, name)) for name in DOORS]
    page = PAGE.read_text()
    assert rewrite(page, table(runs)) == page, "python -m tests.fuzz --document writes it"
    assert BEGIN in page


def test_what_a_fuzzer_says_is_read() -> None:
    said = "#2\tINITED cov: 12 ft: 3\n#9\tDONE   cov: 34 ft: 5\nstat::number_of_executed_units: 9\n"
    assert read_output(said) == (9, 34)
    assert read_output("Traceback") == (0, 0)


def test_what_the_kept_inputs_reach_is_measured() -> None:
    assert set(READ_BY) == set(DOORS)
    assert 60 < branches_reached("resolvconf") <= 100
