"""The table of what upgrades and deaths cost: how rows are made of counts, and text of rows."""

from benchmarks.restarts import markdown, row
from tests.lab.steady import Count, Steady
from tests.lab.story import Chapter
from tests.lab.succession import Event


class Counted(Steady):
    """A load that was asked 100 questions in each second."""

    def __init__(self) -> None:
        super().__init__([])

    def between(self, since: float, until: float) -> Count:
        asked = round((until - since) * 100)
        return Count(asked=asked, right=asked - 3, wrong=1, unanswered=2, slowest=round(until * 1000))


def chapter(name: str, **more: list[tuple[float, float]]) -> Chapter:
    return Chapter(name, [Event(10, 10.95), Event(20, 20.45)], **more)


def test_a_row_adds_up_what_its_events_cost_until_a_second_later() -> None:
    made = row("nodelocaldns", chapter("configuration reload"), Counted())
    assert (made["times"], made["questions"], made["no answer"], made["failed"]) == (2, 350, 4, 2)
    assert made["slowest answer, ms"] == 21.4
    assert made["allowed, ms"] == 50
    assert made["longest event, s"] == 0.95
    assert made["hit ratio changed by at most, %"] is None


def test_only_ours_has_promised_something() -> None:
    assert row("NodeLocal DNSCache", chapter("configuration reload"), Counted())["allowed, ms"] is None


def test_the_page_shows_every_row_and_says_how_the_hit_ratio_changed() -> None:
    chapters = [
        chapter("hand-over to a new version", hit_shares=[(0.99, 0.988), (0.99, 0.99)]),
        chapter("address deleted by hand"),
    ]
    text = markdown([row("nodelocaldns", each, Counted()) for each in chapters], 7)
    assert "| nodelocaldns | hand-over to a new version | 2 | 350 | 4 | 2 | 21.4 | 100 |" in text
    assert "| nodelocaldns | address deleted by hand | 2 | 350 | 4 | 2 | 21.4 |  |" in text
    assert "differed by 0.2 percentage points" in text
    assert "back after at most 0.95 s" in text
