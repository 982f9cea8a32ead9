"""When a server counts as down, when it is probed, and when it is back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.upstream.health import FAILURES_TO_DOWN, SILENT_SECONDS, Health

NOW = 100.0


def down(jitter: float = 0.5) -> Health:
    health = Health(lambda: jitter)
    for _ in range(FAILURES_TO_DOWN):
        health.failed(NOW)
    return health


def test_three_failures_in_a_row_take_a_server_down_and_only_the_third_says_so() -> None:
    health = Health(lambda: 0.5)
    assert [health.failed(NOW) for _ in range(4)] == [False, False, True, False]
    assert health.down
    assert (health.failures_in_a_row, health.failures_total) == (4, 4)


def test_a_response_in_between_starts_the_count_anew() -> None:
    health = Health(lambda: 0.5)
    for _ in range(5):
        health.failed(NOW)
        health.failed(NOW)
        assert not health.succeeded(NOW, 0.001)
    assert not health.down
    assert health.failures_total == 10


def test_one_response_brings_it_back_and_is_counted_as_recovery() -> None:
    health = down()
    assert health.succeeded(NOW + 7, 0.001)
    assert not health.down
    assert (health.recoveries, health.changed_at) == (1, NOW + 7)
    assert not health.succeeded(NOW + 8, 0.001)
    assert health.recoveries == 1


def test_a_server_that_is_up_is_not_probed() -> None:
    assert not Health(lambda: 0.5).take_probe(NOW)


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 0.3), (0.5, 0.5), (1.0, 0.7)])
def test_a_probe_is_due_after_half_a_second_give_or_take_and_again_after_another(jitter: float, pause: float) -> None:
    health = down(jitter)
    assert not health.take_probe(NOW + pause - 0.001)
    assert health.take_probe(NOW + pause + 0.001)
    assert not health.take_probe(NOW + pause + 0.001)
    assert health.take_probe(NOW + 2 * pause + 0.002)


def test_latency_is_smoothed() -> None:
    health = Health(lambda: 0.5)
    seen = [health.latency_seconds]
    for sample in (0.008, 0.016):
        health.succeeded(NOW, sample)
        seen.append(health.latency_seconds)
    assert seen == [None, 0.008, pytest.approx(0.009)]


def test_silences_about_single_questions_take_no_server_down_that_answers_others() -> None:
    health = Health(lambda: 0.5)
    health.succeeded(NOW, 0.001)
    assert not any(health.failed(NOW + SILENT_SECONDS - 0.01) for _ in range(10 * FAILURES_TO_DOWN))
    assert health.failed(NOW + SILENT_SECONDS), "now nothing at all has been heard of it for long enough"
    assert health.down


@given(st.lists(st.booleans(), max_size=50))
def test_a_server_is_down_exactly_while_its_last_tries_all_failed(tries: list[bool]) -> None:
    health = Health(lambda: 0.5)
    for number, responded in enumerate(tries):
        before, now = health.down, NOW + number * SILENT_SECONDS
        said = health.succeeded(now, 0.001) if responded else health.failed(now)
        assert said is (before != health.down)
    in_a_row = next((n for n, responded in enumerate(reversed(tries)) if responded), len(tries))
    assert health.down is (in_a_row >= FAILURES_TO_DOWN)
