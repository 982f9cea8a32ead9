"""How many replies one of the sample stands for: all counted, all of few looked at, and few of many."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from resolver.survey.pace import SAMPLES_PER_SECOND, Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.integers(1, 64), st.floats(0, 0.1)), max_size=300), st.integers())
def test_no_reply_counts_twice_and_those_not_counted_yet_are_few(batches: list[tuple[int, float]], seed: int) -> None:
    clock, told, sent = Clock(), 0, 0
    pace = Pace(clock, Random(seed).random)
    for count, pause in batches:
        clock.now += pause
        sent += count
        told += pace.due(count)
        assert told <= sent
    assert told == sent, "few as these are, none stands for another batch"


def test_a_slow_stream_is_counted_exactly_for_as_long_as_it_lasts() -> None:
    clock = Clock()
    pace = Pace(clock, Random(1).random)
    for _ in range(20_000):
        clock.now += 1.01 / SAMPLES_PER_SECOND
        assert pace.due(1) == 1


def test_a_fast_stream_is_looked_at_now_and_then() -> None:
    clock, taken, told = Clock(), 0, 0
    pace = Pace(clock, Random(1).random)
    for _ in range(200_000):
        clock.now += 0.00005
        weight = pace.due(1)
        told += weight
        taken += weight > 0
    assert taken < 10 * SAMPLES_PER_SECOND + 1500, "ten seconds of 20,000 in each"
    assert 0.99 < told / 200_000 <= 1
