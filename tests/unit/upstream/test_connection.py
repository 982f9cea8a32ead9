"""One connection without a network (tests/unit/upstream/unwired.py)."""

import itertools
from typing import Any

import pytest

from resolver.upstream.connection import (
    DRAIN_SECONDS,
    LATE_ANSWER_SECONDS,
    MAX_USELESS_BYTES,
    TURN_ANSWERS,
)
from resolver.upstream.transport import Problem
from tests.unit.upstream.steered import OTHER_QUESTION, QUESTION, answer_of, response_to
from tests.unit.upstream.unwired import Heard, Scene


def test_questions_of_one_turn_leave_in_one_write() -> None:
    scene = Scene()
    for _ in range(5):
        scene.ask()
    assert scene.transport.writes == []
    assert len(scene.queries()) == 5
    assert len(scene.transport.writes) == 1


def test_ids_in_use_differ_and_do_not_count_up() -> None:
    scene = Scene()
    for _ in range(3000):
        scene.ask()
    ids = [int.from_bytes(query[:2], "big") for query in scene.queries()]
    assert len(set(ids)) == 3000
    steps = [(later - earlier) & 0xFFFF for earlier, later in itertools.pairwise(ids)]
    assert len(set(steps)) > 2500


def test_answers_find_their_questions_in_any_order() -> None:
    scene = Scene()
    asked = [scene.ask(QUESTION if turn % 2 else OTHER_QUESTION) for turn in range(20)]
    answers = [answer_of(query) for query in scene.queries()]
    scene.receive(*reversed(answers))
    assert [heard.packets for _, heard in asked] == [[answer] for answer in answers]
    assert scene.connection.waiting == 0


def test_many_answers_at_once_are_handed_out_a_few_in_each_turn_and_no_more_is_read_meanwhile() -> None:
    scene = Scene()
    asked = [scene.ask() for _ in range(3 * TURN_ANSWERS)]
    answers = [answer_of(query) for query in scene.queries()]
    scene.receive(*answers[:-1])
    handed_out = []
    while scene.transport.paused:
        handed_out.append(sum(len(heard.packets) for _, heard in asked))
        scene.loop.turn()
    assert handed_out == [0, TURN_ANSWERS, 2 * TURN_ANSWERS], "and what is sent meanwhile waits in the kernel"
    scene.receive(answers[-1])
    assert [heard.packets for _, heard in asked] == [[answer] for answer in answers], "in their order, each once"


def test_what_arrives_while_answers_are_handed_out_comes_after_them() -> None:
    scene = Scene()
    asked = [scene.ask() for _ in range(TURN_ANSWERS + 2)]
    answers = [answer_of(query) for query in scene.queries()]
    scene.receive(*answers[:-1])
    scene.receive(answers[-1])
    assert not asked[-1][1].packets
    while scene.transport.paused:
        scene.loop.turn()
    assert all(heard.packets for _, heard in asked)


def test_answers_that_had_arrived_are_handed_out_when_the_connection_ends() -> None:
    scene = Scene()
    asked = [scene.ask() for _ in range(3 * TURN_ANSWERS + 1)]
    answers = [answer_of(query) for query in scene.queries()]
    scene.receive(*answers[:-1])
    scene.connection.connection_lost(None)
    assert [heard.packets for _, heard in asked[:-1]] == [[answer] for answer in answers[:-1]]
    assert asked[-1][1].problems == [Problem.RESET]
    scene.loop.turn()


def test_question_asked_before_the_connection_is_made_is_sent_when_it_is() -> None:
    scene = Scene(connected=False)
    asked = [scene.ask() for _ in range(3)]
    assert scene.queries() == []
    scene.connect()
    scene.receive(*map(answer_of, scene.queries()))
    assert [len(heard.packets) for _, heard in asked] == [1, 1, 1]


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(lambda query: answer_of(bytes((query[0] ^ 1,)) + query[1:]), id="wrong ID"),
        pytest.param(lambda query: response_to(query[:2], OTHER_QUESTION), id="wrong question"),
        pytest.param(lambda query: query, id="a query"),
        pytest.param(lambda query: query[:2], id="an ID and no header"),
        pytest.param(lambda query: b"", id="nothing"),
    ],
)
def test_message_that_answers_nothing_is_ignored_and_counted(stray: Any) -> None:
    scene = Scene()
    _, heard = scene.ask()
    (query,) = scene.queries()
    scene.receive(stray(query))
    assert (heard.packets, scene.connection.ignored) == ([], 1)
    scene.receive(answer_of(query))
    assert heard.packets == [answer_of(query)]


def test_second_answer_to_one_question_is_ignored() -> None:
    scene = Scene()
    _, heard = scene.ask()
    (query,) = scene.queries()
    scene.receive(answer_of(query), answer_of(query))
    assert (len(heard.packets), scene.connection.ignored) == (1, 1)


def test_server_that_only_talks_rubbish_is_left() -> None:
    scene = Scene()
    scene.ask()
    rubbish = response_to(b"\0\0", OTHER_QUESTION) + bytes(60_000)
    for _ in range(MAX_USELESS_BYTES // len(rubbish)):
        scene.receive(rubbish)
    assert not scene.transport.aborted
    scene.receive(rubbish, rubbish)
    assert scene.transport.aborted


def test_a_server_that_sends_nothing_but_empty_messages_is_left_before_many_are_taken() -> None:
    scene = Scene()
    _, heard = scene.ask()
    scene.receive(*[b""] * 30_000)
    while scene.loop.soon:
        scene.loop.turn()
    assert scene.transport.aborted
    assert scene.connection.ignored < 10_000
    scene.connection.connection_lost(None)
    assert heard.problems == [Problem.RESET]
    assert scene.connection.ignored < 10_000, "what has arrived with them is not looked at"


def test_one_right_answer_forgives_the_rubbish_before_it() -> None:
    scene = Scene()
    scene.ask()
    (query,) = scene.queries()
    rubbish = bytes(60_000)
    for _ in range(MAX_USELESS_BYTES // len(rubbish)):
        scene.receive(rubbish)
    scene.receive(answer_of(query))
    scene.receive(rubbish, rubbish)
    assert not scene.transport.aborted


def test_cancelled_question_hears_nothing_and_its_late_answer_is_no_stray() -> None:
    scene = Scene()
    ticket, heard = scene.ask()
    (query,) = scene.queries()
    ticket.cancel()
    ticket.cancel()
    assert scene.connection.waiting == 0
    scene.receive(answer_of(query))
    scene.connection.connection_lost(None)
    assert (heard.packets, heard.problems, scene.connection.ignored) == ([], [], 0)


def test_id_of_a_cancelled_question_is_kept_back_for_a_while() -> None:
    scene = Scene()
    ticket, _ = scene.ask()
    ticket.cancel()
    scene.connection.tick(scene.loop.now + LATE_ANSWER_SECONDS - 0.1)
    assert ticket.id in scene.connection.pending
    scene.connection.tick(scene.loop.now + LATE_ANSWER_SECONDS)
    assert ticket.id not in scene.connection.pending


def test_lost_connection_is_told_once_to_everyone_who_waits() -> None:
    scene = Scene()
    asked = [scene.ask() for _ in range(3)]
    asked[1][0].cancel()
    scene.connection.connection_lost(ConnectionResetError())
    scene.connection.connection_lost(None)
    assert [heard.problems for _, heard in asked] == [[Problem.RESET], [], [Problem.RESET]]
    assert scene.closed == 1


def test_attempt_may_cancel_its_neighbour_while_the_loss_is_told() -> None:
    scene = Scene()
    neighbour = Heard()

    class Cancels(Heard):
        def failed(self, problem: Problem) -> None:
            super().failed(problem)
            second.cancel()

    first = Cancels()
    scene.ask(attempt=first)
    second, _ = scene.ask(attempt=neighbour)
    scene.connection.connection_lost(None)
    assert (first.problems, neighbour.problems) == ([Problem.RESET], [])


def test_silence_since_the_question_was_sent_makes_a_connection_suspect() -> None:
    scene = Scene()
    ticket, _ = scene.ask()
    scene.queries()
    ticket.silent()
    assert not scene.connection.open
    assert not scene.transport.aborted, "its answer may still come"


def test_anything_heard_since_the_question_was_sent_clears_a_connection() -> None:
    scene = Scene()
    ticket, _ = scene.ask()
    scene.ask(OTHER_QUESTION)
    _, second = scene.queries()
    scene.receive(answer_of(second))
    ticket.silent()
    assert scene.connection.open


def test_a_way_is_quiet_when_nothing_has_arrived_since_the_question_was_sent_or_since_the_last_look() -> None:
    scene = Scene()
    ticket, _ = scene.ask()
    scene.ask(OTHER_QUESTION)
    _, second = scene.queries()
    assert ticket.quiet()
    scene.receive(answer_of(second))
    assert [ticket.quiet(), ticket.quiet()] == [False, True]
    assert scene.connection.open, "a look is no verdict"


def test_the_oldest_question_without_an_answer_says_so_when_it_is_silent() -> None:
    scene = Scene()
    answered, _ = scene.ask()
    (oldest, _), (behind, _) = scene.ask(OTHER_QUESTION), scene.ask()
    assert [ticket.silent() for ticket in (answered, oldest, behind)] == [True, False, False]
    scene.receive(answer_of(scene.queries()[0]))
    assert [ticket.silent() for ticket in (answered, oldest, behind)] == [False, True, False]
    oldest.cancel()
    assert not behind.silent(), "the server works on what nobody waits for as well"


def test_a_connection_that_is_not_made_yet_has_no_oldest_question() -> None:
    ticket, _ = Scene(connected=False).ask()
    assert not ticket.silent()


def test_late_answer_on_a_suspected_connection_counts_and_ends_it() -> None:
    scene = Scene()
    ticket, heard = scene.ask()
    (query,) = scene.queries()
    ticket.silent()
    scene.receive(answer_of(query))
    assert heard.packets == [answer_of(query)]
    assert scene.transport.aborted


def test_suspected_connection_ends_when_nobody_waits_on_it() -> None:
    scene = Scene()
    ticket, _ = scene.ask()
    ticket.silent()
    ticket.cancel()
    assert scene.transport.aborted


def test_connection_that_drains_is_waited_for_no_longer_than_its_time() -> None:
    scene = Scene()
    scene.ask()
    scene.connection.drain()
    scene.connection.tick(scene.loop.now + DRAIN_SECONDS - 0.1)
    assert not scene.transport.aborted
    scene.connection.tick(scene.loop.now + DRAIN_SECONDS)
    assert scene.transport.aborted


def test_connection_that_drains_closes_politely_with_its_last_answer() -> None:
    scene = Scene()
    _, heard = scene.ask()
    scene.connection.drain()
    (query,) = scene.queries()
    assert (scene.transport.closed, scene.transport.aborted) == (False, False)
    scene.receive(answer_of(query))
    assert len(heard.packets) == 1
    assert (scene.transport.closed, scene.transport.aborted) == (True, False)


def test_suspected_connection_still_sends_what_waits_when_it_is_made() -> None:
    scene = Scene(connected=False)
    ticket, heard = scene.ask()
    ticket.silent()
    scene.connect()
    assert not scene.connection.open
    scene.receive(*map(answer_of, scene.queries()))
    assert len(heard.packets) == 1


def test_connection_made_too_late_is_thrown_away() -> None:
    scene = Scene(connected=False)
    _, heard = scene.ask()
    scene.connection.fail(Problem.SILENT)
    scene.connect()
    assert scene.transport.aborted
    assert (heard.problems, scene.opened) == ([Problem.SILENT], 0)


def test_server_that_does_not_read_gets_no_more_questions_until_it_does() -> None:
    scene = Scene()
    scene.connection.pause_writing()
    assert not scene.connection.open
    scene.connection.resume_writing()
    assert scene.connection.open


def test_draining_connection_stays_closed_to_questions_when_the_server_reads_again() -> None:
    scene = Scene()
    scene.ask()
    scene.connection.pause_writing()
    scene.connection.drain()
    scene.connection.resume_writing()
    assert not scene.connection.open
