from benchmarks.load import Load
from benchmarks.measure import Run
from benchmarks.others import STALL_SECONDS, Seen
from benchmarks.repeats import EACH, Repeats

LOST = Load(sent=1000, completed=990, seconds=2.0, rcodes={})
STALLED = 10 * STALL_SECONDS


def run(excuse: str = "", *problems: str, foreign: float = 0.0) -> Run:
    return Run("ours", "steady", 0, list(problems), excuse=excuse, foreign_share=foreign)


def test_a_loss_is_told_by_whose_queue_was_full() -> None:
    found = Seen(unread_by_server=6, unread_elsewhere=3).where_lost(LOST)
    assert found.startswith("6 not read by the server")
    assert "3 answers not read by the load" in found
    assert found.endswith("1 not answered")


def test_a_server_that_filled_its_own_core_has_no_excuse_for_losses() -> None:
    assert Seen(server_seconds=1.9, stalled_seconds=STALLED, unread_by_server=10).excuse(LOST) == ""


def test_a_server_that_lost_while_others_had_its_core_has_one() -> None:
    assert "wait 50 ms" in Seen(server_seconds=0.6, stalled_seconds=STALLED, unread_by_server=10).excuse(LOST)


def test_waiting_without_a_loss_is_none() -> None:
    whole = Load(sent=1000, completed=1000, seconds=2.0, rcodes={})
    assert Seen(server_seconds=0.6, stalled_seconds=STALLED).excuse(whole) == ""


def test_what_the_load_did_not_read_is_not_the_servers_fault() -> None:
    assert "load" in Seen(server_seconds=1.9, unread_elsewhere=10).excuse(LOST)


def test_a_disturbed_measurement_is_repeated_until_nothing_is_in_its_way() -> None:
    tries = iter([[run("held up", "lost")], [run()]])
    assert Repeats(9).measured(lambda: next(tries)) == [run()]


def test_an_undisturbed_measurement_is_not_repeated_though_it_is_invalid() -> None:
    tries = iter([[run("", "lost")]])
    assert Repeats(9).measured(lambda: next(tries)) == [run("", "lost")]


def test_repeats_are_bounded_for_each_measurement_and_for_all() -> None:
    made: list[Run] = []

    def measure() -> list[Run]:
        made.append(run("held up", "lost"))
        return made[-1:]

    Repeats(9).measured(measure)
    assert len(made) == 1 + EACH
    repeats = Repeats(1)
    repeats.measured(measure)
    repeats.measured(measure)
    assert len(made) == 1 + EACH + 2 + 1


def test_half_of_the_repeats_are_kept_for_invalid_runs() -> None:
    repeats = Repeats(2)
    busy = iter([[run("busy")] for _ in range(4)])
    assert repeats.measured(lambda: next(busy)) == [run("busy")]
    assert len(list(busy)) == 2
    tries = iter([[run("held up", "lost")], [run()]])
    assert repeats.measured(lambda: next(tries)) == [run()]


def test_of_several_tries_the_valid_one_is_kept_then_the_quietest() -> None:
    tries = [[run("held up", "lost")], [run("busy", foreign=0.5)], [run("busy", foreign=0.2)]]
    assert Repeats(9).measured(iter(tries).__next__) == tries[2]
