"""One question's dealings with its servers, told as a timeline without a loop or a clock."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.message.answer import Answer
from resolver.upstream.exchange import MAX_SENDS, Exchange, Failed, Finished, Send, Step, Wait
from resolver.upstream.transport import Problem
from tests.unit.builders import addresses, answer

START, TRY, WHOLE = 100.0, 0.3, 0.9
GOOD = answer(answers=addresses(1))
NXDOMAIN = answer(rcode="NXDOMAIN")
SERVFAIL = answer(rcode="SERVFAIL")
TRUNCATED = answer(tc=True)
FORMERR_PLAIN = answer(rcode="FORMERR", edns=False)
FORMERR_EDNS = answer(rcode="FORMERR")


class Timeline:
    """An exchange with two servers (or others) and a clock of its own, in milliseconds from its start."""

    def __init__(self, servers: Sequence[str] = ("a", "b"), *, over_udp: bool = True) -> None:
        self.exchange = Exchange(servers, TRY, WHOLE, START, over_udp=over_udp)
        self.sends: list[Send] = []
        self.ms = 0.0

    @property
    def now(self) -> float:
        return START + self.ms / 1000

    def step(self, ms: float | None = None) -> Step:
        """Carry out all sends that are due at this time; the step that is no send."""
        self.ms = self.ms if ms is None else ms
        while isinstance(step := self.exchange.next_step(self.now), Send):
            self.sends.append(step)
        return step

    def waits(self, ms: float | None = None) -> int:
        """Until when it waits, in milliseconds."""
        step = self.step(ms)
        assert isinstance(step, Wait)
        return round((step.until - START) * 1000)

    def answered(self, number: int, said: Answer) -> None:
        self.exchange.answered(self.sends[number], said, self.now)

    def failed(self, number: int, problem: Problem = Problem.REFUSED) -> None:
        self.exchange.failed(self.sends[number], problem, self.now)

    def failure(self, ms: float | None = None) -> tuple[int, str]:
        step = self.step(ms)
        assert isinstance(step, Failed)
        return step.ede.code, step.ede.text

    @property
    def asked(self) -> str:
        return "".join(send.server for send in self.sends)


def test_the_first_server_is_asked_at_once_and_its_answer_is_the_result() -> None:
    line = Timeline()
    assert line.waits() == 300
    assert line.sends == [Send(0, "a", over_tcp=False, edns=True, hedged=None)]
    line.answered(0, GOOD)
    assert line.step() == Finished(GOOD, "a")


def test_nxdomain_is_an_answer_like_any_other() -> None:
    line = Timeline()
    line.step()
    line.answered(0, NXDOMAIN)
    assert line.step() == Finished(NXDOMAIN, "a")


def test_a_silent_server_is_hedged_by_the_next() -> None:
    line = Timeline()
    line.step()
    assert line.waits(299) == 300
    assert line.waits(300) == 600
    assert line.sends[1] == Send(1, "b", over_tcp=False, edns=True, hedged=0)


def test_the_only_server_is_hedged_on_another_connection() -> None:
    line = Timeline("a")
    line.step()
    line.step(300)
    assert line.sends[1] == Send(1, "a", over_tcp=False, edns=True, hedged=0)


def test_a_late_answer_of_the_first_try_still_wins() -> None:
    line = Timeline()
    line.step()
    line.step(300)
    line.ms = 350
    line.answered(0, GOOD)
    assert line.step() == Finished(GOOD, "a")


def test_an_answer_at_the_last_moment_counts() -> None:
    line = Timeline()
    line.step()
    line.step(900 - 1)
    line.answered(0, GOOD)
    assert isinstance(line.step(900), Finished)


def test_silence_until_the_deadline_is_no_reachable_authority() -> None:
    line = Timeline()
    for ms in (0, 300, 600):
        line.waits(ms)
    assert line.failure(900) == (22, "no answer from a, b in 900 ms")
    assert line.asked == "aba"


def test_a_refused_connection_leads_to_the_next_server_at_once() -> None:
    line = Timeline()
    line.step()
    line.failed(0)
    assert line.waits(1) == 301
    assert line.asked == "ab"


def test_when_all_refuse_the_pauses_grow() -> None:
    line = Timeline()
    line.step()
    line.failed(0)
    line.step(0)
    line.failed(1)
    assert line.waits(0) == 20
    line.step(20)
    line.failed(2)
    assert line.waits() == 60
    line.step(60)
    line.failed(3)
    assert line.waits() == 140
    assert line.asked == "abab"


def test_servers_that_refuse_time_and_again_are_given_up_long_before_the_deadline() -> None:
    for servers, asked in (("a", "aaaaa"), ("ab", "ababab"), ("abcd", "abcdabcd")):
        line = Timeline(servers)
        failures, moments = 0, [0]
        while isinstance(step := line.step(), Wait):
            if failures < len(line.sends):
                line.failed(failures)
                failures += 1
            else:
                line.ms = (step.until - START) * 1000
                moments.append(round(line.ms))
        assert line.asked == asked
        assert moments == [0, 20, 60, 140, 300]
        assert line.failure()[0] == 23


def test_a_server_that_refuses_is_not_given_up_while_another_may_still_answer() -> None:
    line = Timeline()
    line.step()
    for number, ms in enumerate((300, 600), start=1):
        line.step(ms)
        line.failed(number)
    assert line.waits(899) == 900
    line.answered(0, GOOD)
    assert line.step() == Finished(GOOD, "a")


def test_a_connection_that_is_lost_late_is_replaced_before_the_server_is_given_up() -> None:
    line = Timeline("a")
    line.step()
    line.step(300)
    line.ms = 500
    line.failed(0, Problem.RESET)
    line.failed(1, Problem.RESET)
    assert line.waits() == 520
    line.step(520)
    line.answered(2, GOOD)
    assert line.step() == Finished(GOOD, "a")


def test_waiting_for_the_next_connection_does_not_hide_why_there_is_none() -> None:
    line = Timeline("a")
    line.step()
    line.failed(0, Problem.REFUSED)
    line.step(20)
    line.failed(1, Problem.BACKING_OFF)
    assert line.failure(900) == (23, "a: connection refused")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem.REFUSED, 23),
        (Problem.UNREACHABLE, 23),
        (Problem.RESET, 23),
        (Problem.TLS, 23),
        (Problem.BACKING_OFF, 23),
        (Problem.SILENT, 22),
        (Problem.MALFORMED, 22),
        (Problem.FULL, 22),
    ],
)
def test_every_problem_has_an_extended_error(problem: Problem, code: int) -> None:
    line = Timeline("a")
    line.step()
    line.failed(0, problem)
    assert line.failure(900) == (code, f"a: {problem.value}")


def test_a_failed_try_beside_a_silent_one_waits_for_the_silent_one() -> None:
    line = Timeline()
    line.step()
    line.step(300)
    line.ms = 310
    line.failed(1)
    assert line.waits() == 600


def test_servfail_from_one_server_leads_to_the_next_at_once() -> None:
    line = Timeline()
    line.step()
    line.answered(0, SERVFAIL)
    line.step(5)
    assert line.asked == "ab"
    line.answered(1, GOOD)
    assert line.step() == Finished(GOOD, "b")


def test_servfail_from_all_servers_ends_the_question_and_none_is_asked_twice() -> None:
    line = Timeline()
    line.step()
    line.answered(0, SERVFAIL)
    line.step(5)
    line.answered(1, SERVFAIL)
    assert line.failure() == (22, "b answered SERVFAIL")
    assert line.asked == "ab"


def test_a_servers_own_extended_error_is_passed_on() -> None:
    line = Timeline("a")
    line.step()
    line.answered(0, answer(rcode="SERVFAIL", ede=(7, b"signature expired\xff")))
    assert line.failure() == (7, "signature expired\ufffd")


def test_a_refusal_waits_for_a_silent_server_until_the_deadline() -> None:
    line = Timeline()
    line.step()
    line.step(300)
    line.answered(1, SERVFAIL)
    line.step(310)
    assert line.asked == "aba"
    assert line.waits(610) == 900
    assert line.failure(900)[1] == "b answered SERVFAIL"


def test_a_truncated_answer_is_asked_again_over_tcp_at_the_same_server() -> None:
    line = Timeline()
    line.step()
    line.answered(0, TRUNCATED)
    line.step(5)
    assert line.sends[1] == Send(1, "a", over_tcp=True, edns=True, hedged=None)
    line.answered(1, GOOD)
    assert line.step() == Finished(GOOD, "a")


def test_an_answer_truncated_over_tcp_is_no_answer() -> None:
    line = Timeline()
    line.step()
    line.answered(0, TRUNCATED)
    line.step()
    line.answered(1, TRUNCATED)
    line.step()
    assert line.asked == "aab"
    line.answered(2, TRUNCATED)
    line.step()
    line.answered(3, TRUNCATED)
    assert line.failure() == (22, "b answered half of it")


def test_what_is_truncated_in_a_zone_that_is_asked_over_tcp_is_not_asked_again_at_the_same_server() -> None:
    line = Timeline(over_udp=False)
    line.step()
    line.answered(0, TRUNCATED)
    line.step()
    assert line.asked == "ab"
    line.answered(1, TRUNCATED)
    assert line.failure() == (22, "b answered half of it")
    assert not any(send.over_tcp for send in line.sends), "that is for zones that are asked over UDP"


def test_formerr_without_opt_is_asked_again_without_edns() -> None:
    line = Timeline()
    line.step()
    line.answered(0, FORMERR_PLAIN)
    line.step()
    assert line.sends[1] == Send(1, "a", over_tcp=False, edns=False, hedged=None)
    line.answered(1, FORMERR_PLAIN)
    line.step()
    assert line.asked == "aab"


def test_formerr_from_a_server_that_knows_edns_is_final_for_it() -> None:
    line = Timeline()
    line.step()
    line.answered(0, FORMERR_EDNS)
    line.step()
    assert line.asked == "ab"


def test_without_servers_there_is_nothing_to_wait_for() -> None:
    assert Timeline(()).failure(0) == (22, "no upstream server is configured")


def test_a_server_that_is_quick_to_fail_is_not_asked_without_end() -> None:
    line = Timeline([str(number) for number in range(20)])
    for number in range(MAX_SENDS):
        line.step()
        line.failed(number)
    assert line.failure() == (23, "7: connection refused")


def test_asking_again_over_tcp_and_without_edns_counts_as_well() -> None:
    line = Timeline([str(number) for number in range(20)])
    for number in range(MAX_SENDS):
        line.step()
        line.answered(number, (TRUNCATED, FORMERR_PLAIN, SERVFAIL)[number % 3])
    assert line.failure() == (22, "1 answered SERVFAIL")
    assert len(line.sends) == MAX_SENDS


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.integers(0, 30),
        st.sampled_from([GOOD, NXDOMAIN, SERVFAIL, TRUNCATED, FORMERR_PLAIN, FORMERR_EDNS, *Problem]),
    ),
    max_size=40,
)
FAILURES_ONLY = EVENTS.map(lambda events: [event for event in events if event[2] not in (GOOD, NXDOMAIN)])


@given(st.lists(st.sampled_from("abc"), max_size=4), EVENTS | FAILURES_ONLY)
def test_whatever_happens_it_ends_by_the_deadline_after_a_bounded_number_of_sends(
    servers: list[str], events: list[tuple[int, int, Answer | Problem]]
) -> None:
    line = Timeline(servers)
    step, over, answers = line.step(), set[int](), list[Answer | Problem]()
    for pause, which, event in events:
        line.ms += pause
        if which < len(line.sends) and which not in over:
            over.add(which)
            answers.append(event)
            if isinstance(event, Problem):
                line.failed(which, event)
            else:
                line.answered(which, event)
        step = line.step()
        if not isinstance(step, Wait):
            break
        assert line.now < step.until <= START + WHOLE
    assert len(line.sends) <= MAX_SENDS
    ended = line.step(max(line.ms, 900))
    assert isinstance(ended, Finished | Failed)
    if isinstance(ended, Finished):
        assert ended.answer in (GOOD, NXDOMAIN)
    else:
        assert GOOD not in answers
        assert NXDOMAIN not in answers
