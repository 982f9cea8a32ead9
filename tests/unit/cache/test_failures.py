"""What is remembered about questions that failed: for seconds, growing, and only until a server is back."""

from resolver.cache import failures
from resolver.cache.failures import Failures
from resolver.message.reply import Ede
from tests.unit.builders import key

REASON = Ede(22, "no answer")


def holds(remembered: Failures, now: float, recoveries: int = 0) -> bool:
    return remembered.get(key(), recoveries, now) is not None


def test_each_failure_in_a_row_is_remembered_longer() -> None:
    remembered, now = Failures(), 100.0
    for seconds in (1, 2, 4, 5, 5):
        remembered.put(key(), REASON, 0, now)
        assert holds(remembered, now + seconds - 0.001)
        assert not holds(remembered, now + seconds)
        now += seconds


def test_an_answer_ends_the_row() -> None:
    remembered = Failures()
    for _ in range(3):
        remembered.put(key(), REASON, 0, 100.0)
    remembered.forget(key())
    assert not holds(remembered, 100.0)
    remembered.put(key(), REASON, 0, 100.0)
    assert not holds(remembered, 101.0)


def test_a_server_that_came_back_ends_the_memory_and_the_row() -> None:
    remembered = Failures()
    for _ in range(3):
        remembered.put(key(), REASON, 0, 100.0)
    assert not holds(remembered, 100.0, recoveries=1)
    remembered.put(key(), REASON, 1, 100.0)
    assert holds(remembered, 100.9, recoveries=1)
    assert not holds(remembered, 101.0, recoveries=1)


def test_the_reason_is_remembered_with_it() -> None:
    remembered = Failures()
    remembered.put(key(), REASON, 0, 100.0)
    failure = remembered.get(key(), 0, 100.0)
    assert failure is not None
    assert failure.ede == REASON


def test_their_number_is_bounded_and_they_can_be_forgotten() -> None:
    remembered = Failures()
    for number in range(failures._MAX_REMEMBERED + 10):
        remembered.put(key(f"n{number}."), REASON, 0, 100.0)
    assert len(remembered) == failures._MAX_REMEMBERED
    remembered.clear()
    assert len(remembered) == 0
