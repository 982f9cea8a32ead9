"""A page that names tests as proof is held to it: a proof that does not exist proves nothing."""

from pathlib import Path

import pytest

from tests.unit.tooling.claims import ROOT, Claim, claims, problem

PAGES = {f"docs/{page.name}": page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/*.md"))}
CLAIMS = [claim for page, text in PAGES.items() for claim in claims(page, text)]
PROOFS = sorted({proof for claim in CLAIMS for proof in claim.proofs})
# Pages that live from such tables: one whose tables are no longer found would pass with no claim checked.
LEAST = {
    "docs/answers.md": 40,
    "docs/threat-model.md": 30,
    "docs/robustness.md": 20,
    "docs/failure-modes.md": 25,
}


@pytest.mark.parametrize("claim", CLAIMS, ids=[f"{claim.page}:{claim.line}" for claim in CLAIMS])
def test_every_claim_of_a_page_names_a_test(claim: Claim) -> None:
    assert claim.proofs, f"{claim.page}:{claim.line}: {claim.cells[0]}"


@pytest.mark.parametrize("proof", PROOFS)
def test_every_test_that_a_page_names_exists(proof: str) -> None:
    assert problem(proof) == ""


@pytest.mark.parametrize(("page", "least"), LEAST.items())
def test_the_tables_of_a_page_are_found(page: str, least: int) -> None:
    assert len([claim for claim in CLAIMS if claim.page == page]) >= least


TABLE = """
| rule | shown by |
|---|---|
| one | `tests/test_a.py::test_there`, `tests/story.scenario` |
| two \\| three | nothing |
| four | `tests/test_a.py::test_there` | too many |

| other | table |
|---|---|
| no | claim |
"""


def test_a_row_without_proof_and_one_with_a_cell_too_many_are_claims_without_proof() -> None:
    assert [claim.proofs for claim in claims("page", TABLE)] == [
        ("tests/test_a.py::test_there", "tests/story.scenario"),
        (),
        (),
    ]
    assert [claim.line for claim in claims("page", TABLE)] == [4, 5, 6]


def test_what_proves_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "story.scenario").touch()
    (tmp_path / "tests" / "test_a.py").write_text(
        "def test_there():\n    pass\nclass TestIt:\n    def test_too(self):\n        pass\n"
    )
    said = {
        "tests/test_a.py::test_there": "",
        "tests/test_a.py::TestIt::test_too": "",
        "tests/story.scenario": "",
        "tests/story.scenario::test_there": "tests/story.scenario has no tests in it",
        "tests/test_a.py": "say which test of tests/test_a.py",
        "tests/test_a.py::test_gone": "tests/test_a.py has no test_gone",
        "tests/test_b.py::test_there": "there is no tests/test_b.py",
    }
    assert {proof: problem(proof, tmp_path) for proof in said} == said
