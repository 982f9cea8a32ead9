"""Every scenario file here is a test; README.md tells how to write one."""

from pathlib import Path

import pytest

from tests.scenarios.language import Scenario, ScenarioError, read
from tests.scenarios.player import Player
from tests.scenarios.table import stories

STORIES = stories()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_scenario(story: Scenario) -> None:
    Player(story).play()


def play(tmp_path: Path, *lines: str) -> None:
    path = tmp_path / "some.scenario"
    path.write_text("\n".join(("# a claim", "# its source", *lines)), encoding="utf-8")
    for story in read(path):
        Player(story).play()


MISTAKES = {
    "no claim": (["ask a. A"], None),
    "an unknown verb": (["tell a. A"], "'tell' is none of"),
    "an unknown word": (["ask a. A loudly"], "does not understand"),
    "an unknown option": (["ask a. A colour=red"], "does not understand"),
    "records under no answer": (["ask a. A", "  a. 1 A 10.0.0.1"], "records belong under"),
    "an upstream query that nobody named": (["ask a. A"], "nobody expected the query to ns1 a. A"),
    "an upstream query that there is not": (["upstream ns1 a. A"], "no query went upstream"),
    "another upstream query": (["ask a. A", "upstream ns1 b. A"], "what went upstream is ns1 a. A"),
    "an answer that nobody looked at": (["ask a. AXFR"], "nobody looked at what pod got"),
    "another rcode": (["ask a. AXFR", "answer NOERROR"], "the rcode is REFUSED"),
    "an answer too early": (["ask a. A", "upstream ns1 a. A", "answer NOERROR"], "0 answers instead of one"),
    "an unexpected reason": (["ask a. A class=CH edns=1232", "answer REFUSED"], "the extended error is"),
    "a row with a cell too few": (["rows a | b", "  1 | 2", "  3", "ask $a. A"], "2 cells are needed"),
    "a remark about nobody": (["# bind differs: it does"], "expected '# SERVER differs"),
    "a remark without a reason": (["# unbound differs"], "expected '# SERVER differs"),
    "an unexpected option": (["ask a. AXFR tcp option=11:", "answer REFUSED"], "the options are"),
    "a reply that is not dropped": (["ask a. AXFR", "dropped"], "not dropped"),
    "a client that waits no more": (["ask a. AXFR", "waiting"], "waits no more"),
}


@pytest.mark.parametrize(("lines", "complaint"), MISTAKES.values(), ids=MISTAKES)
def test_a_scenario_that_is_wrong_fails_and_says_where(tmp_path: Path, lines: list[str], complaint: str | None) -> None:
    if complaint is None:
        (tmp_path / "none.scenario").write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(ScenarioError, match="opens with"):
            read(tmp_path / "none.scenario")
        return
    with pytest.raises(ScenarioError, match=complaint) as caught:
        play(tmp_path, *lines)
    assert "some.scenario:" in str(caught.value)


def test_other_records_than_expected_fail(tmp_path: Path) -> None:
    lines = [
        "ask a. A",
        "upstream ns1 a. A",
        "reply NOERROR",
        "  a. 5 A 10.0.0.1",
        "answer NOERROR",
        "  a. 6 A 10.0.0.1",
    ]
    with pytest.raises(ScenarioError, match="the records are others"):
        play(tmp_path, *lines)


def test_a_row_is_a_story_of_its_own_with_its_words_in_it(tmp_path: Path) -> None:
    path = tmp_path / "some.scenario"
    lines = ["# $what is refused", "# here", "# unbound differs in rows 2-3, 5: whim", "# coredns skips: whim"]
    rows = ["rows what", *(f"  {what}" for what in ("AXFR", "IXFR", "TYPE252", "AXFR", "AXFR"))]
    path.write_text("\n".join([*lines, *rows, "ask a. $what", "answer REFUSED", "---", *lines[:2]]))
    told = read(path)
    assert [story.claim for story in told[:2]] == ["AXFR is refused", "IXFR is refused"]
    assert [story.name for story in told] == [*(f"some:1.{row}" for row in range(1, 6)), "some:14"]
    assert ["unbound" in story.remarks for story in told] == [False, True, True, False, True, False]
    assert all(story.remarks["coredns"].verb == "skips" for story in told[:5])
    for story in told[:5]:
        Player(story).play()


def test_records_are_spread_over_numbers_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "some.scenario"
    path.write_text("# a\n# b\nanswer NOERROR\n  a. 1 A 10.0.0.{1-3} // authority b. 1 NS c.\n")
    (story,) = read(path)
    assert story.steps[0].records == [
        *(("answer", f"a. 1 A 10.0.0.{number}") for number in (1, 2, 3)),
        ("authority", "b. 1 NS c."),
    ]


def test_claims_are_told_once() -> None:
    claims = [story.claim for story in STORIES]
    assert len(set(claims)) == len(claims)
