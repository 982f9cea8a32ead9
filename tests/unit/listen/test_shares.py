"""Who gets how much while more comes in than can be answered: time is an argument, clients are letters."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.listen import shares as module
from resolver.listen.shares import HEADROOM, LEAST_PER_SECOND, MOST_CLIENTS, PATIENCE, Shares, fair_level

SECONDS = 0.1
NO_TIME, SOME_TIME, MUCH_TIME = 0.0, 0.2, 0.9


def overloaded(shares: Shares, arrived: dict[str, int], served: int = 1000) -> None:
    for _ in range(PATIENCE):
        shares.review(arrived, served, SECONDS, NO_TIME, lost=True)


def test_what_all_send_together_is_cut_to_what_can_be_answered_and_the_quiet_are_not_touched() -> None:
    shares = Shares()
    overloaded(shares, {"flood": 3000, "quiet": 50})
    assert list(shares.passing) == ["flood"]
    passing = shares.passing["flood"] * 3000 + 50
    assert passing == pytest.approx(1000 * HEADROOM)


def test_two_that_flood_get_the_same_whatever_each_sends() -> None:
    shares = Shares()
    overloaded(shares, {"more": 6000, "less": 2000, "quiet": 50})
    assert shares.passing["more"] * 6000 == pytest.approx(shares.passing["less"] * 2000)


def test_a_burst_that_loses_nothing_limits_nobody() -> None:
    shares = Shares()
    shares.review({"burst": 3000}, 1000, SECONDS, NO_TIME, lost=False)
    assert shares.passing == {}


def test_losses_that_are_over_soon_limit_nobody() -> None:
    shares = Shares()
    for _ in range(3):
        for _ in range(PATIENCE - 1):
            shares.review({"burst": 3000}, 1000, SECONDS, NO_TIME, lost=True)
        shares.review({"burst": 3000}, 1000, SECONDS, NO_TIME, lost=False)
    assert shares.passing == {}


def test_a_loss_while_there_was_time_limits_nobody() -> None:
    shares = Shares()
    for _ in range(2 * PATIENCE):
        shares.review({"a": 3000}, 3000, SECONDS, MUCH_TIME, lost=True)
    assert shares.passing == {}


def test_what_a_client_sends_is_known_behind_the_filter_and_its_share_is_steady() -> None:
    shares = Shares()
    overloaded(shares, {"flood": 3000})
    share = shares.passing["flood"]
    shares.review({"flood": round(3000 * share)}, 750, SECONDS, SOME_TIME, lost=False)
    assert shares.passing["flood"] == pytest.approx(share, rel=0.01)
    assert shares.sending["flood"] == pytest.approx(3000 / SECONDS, rel=0.01)


def test_with_time_to_spare_a_share_grows_and_without_it_shrinks() -> None:
    shares = Shares()
    overloaded(shares, {"flood": 3000})
    share = shares.passing["flood"]
    shares.review({"flood": round(3000 * share)}, 750, SECONDS, MUCH_TIME, lost=False)
    grown = shares.passing["flood"]
    assert grown > share
    shares.review({"flood": round(3000 * grown)}, 400, SECONDS, NO_TIME, lost=False)
    assert shares.passing["flood"] < share


def test_one_that_stops_is_free_again_after_a_while_and_not_at_once() -> None:
    shares = Shares()
    overloaded(shares, {"flood": 9000})
    rounds = 0
    while shares.passing:
        shares.review({}, 0, SECONDS, SOME_TIME, lost=False)
        rounds += 1
    assert 2 < rounds < 30
    assert shares.sending == {}


def test_however_slow_everything_is_something_gets_in() -> None:
    shares = Shares()
    overloaded(shares, {"flood": 3000}, served=0)
    assert shares.passing["flood"] * 3000 / SECONDS == pytest.approx(LEAST_PER_SECOND * HEADROOM)


def test_no_more_clients_are_limited_than_fit_into_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 2)
    shares = Shares()
    overloaded(shares, {"a": 3000, "b": 5000, "c": 4000})
    assert sorted(shares.passing) == ["b", "c"]
    assert MOST_CLIENTS > 2


rates = st.floats(0, 1e7)


@given(st.lists(rates, max_size=20), st.floats(1, 1e7))
def test_all_that_passes_is_the_capacity_or_all_there_is(sending: list[float], capacity: float) -> None:
    level = fair_level(sending, capacity)
    passes = sum(min(each, level) for each in sending)
    if level == inf:
        assert passes <= capacity * 1.0001 + 1e-6
    else:
        assert passes == pytest.approx(capacity)
