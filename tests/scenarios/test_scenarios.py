"""Every scenario file here is a test; README.md tells how to write one."""

from pathlib import Path

import pytest

from tests.scenarios.language import ScenarioError, read
from tests.scenarios.player import Player

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("**/*.scenario"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_scenario(path: Path) -> None:
    Player(read(path)).play()


def play(tmp_path: Path, *lines: str) -> None:
    path = tmp_path / "some.scenario"
    path.write_text("\n".join(("# a claim", "# its source", *lines)), encoding="utf-8")
    Player(read(path)).play()


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


def test_claims_are_told_once() -> None:
    claims = [read(path).claim for path in FILES]
    assert len(set(claims)) == len(claims)
