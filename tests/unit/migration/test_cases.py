"""Corefiles as they are found in the world, converted: tests/cases/migration has each with its result and its remarks.

A result that changes is written anew with `python -m tests.unit.migration.test_cases`, and read before it is kept.
"""

from pathlib import Path

import pytest

from resolver.config import load
from resolver.migration import Conversion, Grade, convert

FOLDER = Path(__file__).parents[2] / "cases" / "migration"
VALUES = {"template": {"__PILLAR__CLUSTER__DNS__": "10.96.87.11"}}
CASES = (
    "shipped.yaml",
    "template.corefile",
    "kops.yaml",
    "kubespray.yaml",
    "deliveryhero.yaml",
    "gke.yaml",
    "grown.corefile",
)
COMPLETE = {"shipped.yaml", "template.corefile", "kubespray.yaml"}


def of(case: str) -> Conversion:
    path = FOLDER / case
    return convert(path.read_text(encoding="utf-8"), case, VALUES.get(path.stem, {}))


def remarks(conversion: Conversion) -> str:
    return "".join(f"{remark}\n" for remark in conversion.remarks)


@pytest.mark.parametrize("case", CASES)
def test_the_result_is_the_one_that_was_read_and_accepted(case: str) -> None:
    conversion = of(case)
    assert conversion.text == (FOLDER / f"{case}.resolver.yaml").read_text(encoding="utf-8")
    assert remarks(conversion) == (FOLDER / f"{case}.remarks").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_the_result_has_no_mistake(case: str) -> None:
    assert load(of(case).text, case).zones


@pytest.mark.parametrize("case", CASES)
def test_what_is_usual_is_converted_without_a_loss(case: str) -> None:
    assert of(case).complete is (case in COMPLETE)


@pytest.mark.parametrize("case", CASES)
def test_every_remark_names_a_line_on_which_its_directive_stands(case: str) -> None:
    lines = (FOLDER / case).read_text(encoding="utf-8").splitlines()
    for remark in of(case).remarks:
        if remark.grade is not Grade.NOTE and remark.source.file == case:
            word = remark.subject.split()[-1].removeprefix("forward: ").strip(":")
            assert all(word in lines[number - 1] or "zone" in remark.subject for number in remark.lines), remark


def main() -> None:
    """Write all results anew."""
    for case in CASES:
        conversion = of(case)
        (FOLDER / f"{case}.resolver.yaml").write_text(conversion.text, encoding="utf-8")
        (FOLDER / f"{case}.remarks").write_text(remarks(conversion), encoding="utf-8")


if __name__ == "__main__":
    main()
