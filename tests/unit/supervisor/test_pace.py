"""How soon a worker is started again."""

from resolver.supervisor.pace import CREDIT, CREDIT_SECONDS, LONGEST_PAUSE_SECONDS, Pace


def test_a_worker_that_dies_now_and_then_is_always_replaced_at_once() -> None:
    pace = Pace(0.0)
    assert {pace.pause_seconds(turn * 2.0, served=True) for turn in range(200)} == {0.0}


def test_one_that_keeps_dying_is_started_ever_more_slowly_up_to_a_bound() -> None:
    pace, now, pauses = Pace(0.0), 0.0, []
    for _ in range(60):
        pauses.append(pace.pause_seconds(now, served=True))
        now += 0.1
    assert pauses[: int(CREDIT)] == [0.0] * int(CREDIT)
    assert max(pauses) == LONGEST_PAUSE_SECONDS


def test_one_that_never_answered_runs_out_of_credit_twice_as_fast() -> None:
    served, never = Pace(0.0), Pace(0.0)
    assert sum(served.pause_seconds(0.0, served=True) == 0 for _ in range(20)) == CREDIT
    assert sum(never.pause_seconds(0.0, served=False) == 0 for _ in range(20)) == CREDIT / 2


def test_credit_comes_back_with_time() -> None:
    pace = Pace(0.0)
    for _ in range(20):
        pace.pause_seconds(0.0, served=True)
    assert pace.pause_seconds(1.5 * CREDIT_SECONDS, served=True) == 0.0
    assert pace.pause_seconds(1.5 * CREDIT_SECONDS, served=True) > 0.0
