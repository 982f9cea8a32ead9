"""The table of what faults cost: when all is well again, and text of rows."""

from collections.abc import Mapping

import pytest

from benchmarks.faults import markdown, row
from tests.lab.endurance import Asking, cost
from tests.lab.faults import FAULTS, Happened
from tests.lab.steady import ROWS_PER_SECOND, Count, Steady


class Counted(Steady):
    """A load of 20 questions per second, one in each row; `odd` are rows that have something else, by their number."""

    def __init__(self, odd: Mapping[int, Count]) -> None:
        super().__init__([])
        self._odd = odd

    def between(self, since: float, until: float) -> Count:
        total = Count()
        for number in range(round(since * ROWS_PER_SECOND), round(until * ROWS_PER_SECOND) + 1):
            total.add(self._odd.get(number, Count(asked=1, right=1, slowest=1000)))
        return total


WRONG = Count(asked=1, wrong=1, slowest=900_000)
LATE = Count(asked=1, right=1, slowest=1_200_000)


@pytest.mark.parametrize(
    ("odd", "well_after_seconds"),
    [
        ({}, 0.0),
        ({190: WRONG}, 0.0),
        ({190: WRONG, 205: WRONG}, 0.3),
        ({205: LATE}, 0.3),
        ({205: Count(asked=1, unanswered=1)}, 0.3),
        ({299: WRONG}, None),
    ],
)
def test_all_is_well_again_after_the_last_new_name_that_had_no_right_answer_in_a_second(
    odd: dict[int, Count], well_after_seconds: float | None
) -> None:
    costs = cost(Asking(Counted({}), Counted(odd)), Happened(FAULTS[0], began=5, ended=10), 15)
    assert costs.well_after_seconds == well_after_seconds


def test_the_page_shows_what_became_of_known_and_of_new_names() -> None:
    happened = Happened(FAULTS[0], began=5, ended=10)
    for odd, well in (({120: WRONG, 210: LATE}, "0.55"), ({299: WRONG}, "> 10")):
        made = row("nodelocaldns", happened, cost(Asking(Counted({}), Counted(odd)), happened, 15))
        slowest = max(count.slowest for count in odd.values()) // 1000
        line = f"| process killed | nodelocaldns | 201 | 0 | 1 | 201 | 1 | 0 | {slowest:,} | {well} |"
        assert line in markdown([made], 5, 7).splitlines()
