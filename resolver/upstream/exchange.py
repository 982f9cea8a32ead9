"""One question's dealings with its servers: whom to ask next, when to stop waiting, what the end result is. Pure.

An Exchange owns every decision about retries; the code around it (`lookup`) only carries them out:

    step = exchange.next_step(now)       Send -> send it;  Wait -> come back then;  Finished, Failed -> done
    exchange.answered(send, answer)      an answer to one of its sends came in
    exchange.failed(send, problem, now)  one of its sends ended without an answer

A send that stays silent for `attempt_timeout` is hedged: the next server (or another connection to the same one) is
asked as well, and whichever answers first wins; `hasten` makes that earlier. A send that fails at once is replaced at
once by the next server; when all have failed at once, a short growing pause comes first. After the longest pause there
is no other: servers that are known to be away are not worth the second after which pods ask elsewhere. A truncated UDP
answer is asked again over TCP, an unreadable OPT record is left out, and a server that says SERVFAIL or REFUSED, or
truncates over TCP as well, is not asked again for this question.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from resolver.message import codes
from resolver.message.answer import Answer, Kind
from resolver.message.reply import Ede
from resolver.upstream.transport import Problem

MAX_SENDS: Final = 8
"""More tries than this for one question would load servers that are in trouble without helping the asker."""
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.16  # 20, 40, 80, 160: a server that restarts within 300 ms is not missed
_KNOWS_NO_EDNS = (codes.FORMERR, codes.NOTIMP)  # without an OPT record: RFC 6891 section 6.2.2, RFC 2671 section 5.3
_NETWORK_ERRORS = frozenset((Problem.REFUSED, Problem.UNREACHABLE, Problem.RESET, Problem.TLS, Problem.BACKING_OFF))


class Send(NamedTuple):
    """Ask this server now."""

    number: int
    """0 for the first send of the exchange."""
    server: Any
    over_tcp: bool
    """Use TCP although the zone's transport is UDP: the UDP answer was truncated (RFC 7766 section 5)."""
    edns: bool
    hedged: int | None
    """The number of an earlier send whose connection should not be used again."""


class Wait(NamedTuple):
    """Nothing to do until this time (monotonic seconds), unless something comes in."""

    until: float


class Finished(NamedTuple):
    """The question is answered."""

    answer: Answer
    server: Any


class Failed(NamedTuple):
    """No server could answer; the client gets SERVFAIL with this."""

    ede: Ede
    telling: bool = True
    """Whether the next question may expect the same; False: our own limits did not let us ask, or a server has come
    back meanwhile.
    """


Step = Send | Wait | Finished | Failed


class Exchange:
    """The state of one question. `servers` are asked in the given order and named in errors by `str()`.

    `over_udp`: the zone's transport, so that what is truncated may be asked for again over TCP.
    """

    __slots__ = ("_again", "_attempt_timeout", "_deadline", "_hedge_at", "_hopeless", "_in_flight", "_lame",
                 "_last_send", "_next_server", "_over_udp", "_pause", "_problem", "_refusal", "_result", "_sends",
                 "_servers", "_started_at")  # fmt: skip

    def __init__(
        self, servers: Sequence[Any], attempt_timeout: float, timeout: float, now: float, *, over_udp: bool = False
    ) -> None:
        self._servers = servers
        self._over_udp = over_udp
        self._attempt_timeout = attempt_timeout
        self._started_at = now
        self._deadline = now + timeout
        self._hedge_at = now
        self._hopeless = False
        self._pause = _FIRST_PAUSE_SECONDS
        self._sends = 0
        self._in_flight = 0
        self._next_server = 0
        self._again: Send | None = None
        self._last_send: int | None = None
        self._lame: list[Any] | None = None
        self._result: Finished | None = None
        self._refusal: tuple[Answer, Any] | None = None
        self._problem: tuple[Problem, Any] | None = None

    def next_step(self, now: float) -> Step:
        """What to do now."""
        if self._result is not None:
            return self._result
        if now >= self._deadline or self._hopeless:
            return self._failure()
        again, self._again = self._again, None
        if again is not None and self._sends < MAX_SENDS:
            return self._sent(again._replace(number=self._sends), now)
        if now < self._hedge_at and (self._in_flight or self._sends < MAX_SENDS):
            return Wait(min(self._hedge_at, self._deadline))
        server = self._choose() if self._sends < MAX_SENDS else None
        if server is not None:
            return self._sent(Send(self._sends, server, False, True, self._last_send), now)
        if self._in_flight:
            return Wait(self._deadline)
        return self._failure()

    def answered(self, send: Send, answer: Answer, now: float) -> None:
        """`send` was answered."""
        self._in_flight -= 1
        facts = answer.facts
        if facts.truncated and self._over_udp and not send.over_tcp:
            self._again = send._replace(over_tcp=True, hedged=None)
        elif facts.kind is not Kind.FAILURE and not facts.truncated:
            self._result = Finished(answer, send.server)
        elif facts.rcode in _KNOWS_NO_EDNS and send.edns and not facts.has_opt:
            self._again = send._replace(edns=False, hedged=None)
        else:
            self._refusal = (answer, send.server)
            if self._lame is None:
                self._lame = []
            self._lame.append(send.server)
            self._hedge_at = now

    def failed(self, send: Send, problem: Problem, now: float) -> None:
        """`send` ended without an answer (not by silence: the clock tells that)."""
        self._in_flight -= 1
        if self._problem is None or problem is not Problem.BACKING_OFF:  # that one does not say what is wrong
            self._problem = (problem, send.server)
        if send.number + 1 < len(self._servers):
            self._hedge_at = now
        elif not self._in_flight:
            self._hopeless = self._pause > _LONGEST_PAUSE_SECONDS
            self._hedge_at = now + self._pause
            self._pause *= 2

    def hasten(self, now: float) -> None:
        """The last send will probably not be answered: do not wait for the rest of its time."""
        self._hedge_at = now

    def _sent(self, send: Send, now: float) -> Send:
        self._last_send = send.number
        self._sends += 1
        self._in_flight += 1
        self._hedge_at = now + self._attempt_timeout
        return send

    def _choose(self) -> object:
        """The next server in turn that has not refused this question; None when all have."""
        servers, lame = self._servers, self._lame
        for _ in range(len(servers)):
            server = servers[self._next_server % len(servers)]
            self._next_server += 1
            if lame is None or server not in lame:
                return server
        return None

    def _failure(self) -> Failed:
        if self._refusal is not None:
            (facts, _), server = self._refusal
            if facts.ede is not None:
                return Failed(Ede(facts.ede[0], facts.ede[1].decode("utf-8", "replace")))
            said = "half of it" if facts.truncated else codes.RCODE_NAMES.get(facts.rcode, str(facts.rcode))
            return Failed(Ede(codes.EDE_NO_REACHABLE_AUTHORITY, f"{server} answered {said}"))
        if not self._servers:
            return Failed(Ede(codes.EDE_NO_REACHABLE_AUTHORITY, "no upstream server is configured"))
        if self._problem is not None:
            problem, server = self._problem
            code = codes.EDE_NETWORK_ERROR if problem in _NETWORK_ERRORS else codes.EDE_NO_REACHABLE_AUTHORITY
            return Failed(Ede(code, f"{server}: {problem.value}"))
        asked = ", ".join(str(server) for server in self._servers[: self._sends])
        waited = round((self._deadline - self._started_at) * 1000)
        return Failed(Ede(codes.EDE_NO_REACHABLE_AUTHORITY, f"no answer from {asked} in {waited} ms"))
