"""What an operator, a kernel and an accident do to a resolver under load, one after another, and what each thing cost.

The same story is a test with a few repetitions (tests/e2e) and a measurement with many (benchmarks/restarts.py).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.lab.resolver import Resolver
from tests.lab.steady import Count, Steady
from tests.lab.succession import Event, Succession
from tests.lab.topology import LOCAL, LOCAL_V6
from tests.lab.waiting import wait_until

MARGIN_SECONDS = 0.05
AFTERWARDS_SECONDS = 1.0
"""What is asked so long after an event still belongs to it."""
PAUSE_QUESTIONS = 12_000
"""Answered between two events, at least."""
SECOND_QUESTIONS = 10_000
CALM_QUESTIONS = 120_000
STANDSTILL_QUESTIONS = 5_500
"""Too many for a turn of the worker, not for the kernel's queue; asked before a worker counts as standing still."""
LONGEST_STANDSTILL_SECONDS = 0.7
"""After more, the supervisor may take the worker for stuck, and the kernel's queue may be full: both are right."""
STANDSTILL_TRIES = 10
ANOTHER = "169.254.20.11"


@dataclass(slots=True)
class Chapter:
    """One kind of event, as often as it happened."""

    name: str
    events: list[Event] = field(default_factory=list)
    hit_shares: list[tuple[float, float]] = field(default_factory=list)
    """Of hand-overs: the share of hits in the second before, and in the second after."""

    def costs(self, load: Steady) -> Count:
        """What became of the questions of all its events together. Final when the load has ended."""
        total = Count()
        for event in self.events:
            total.add(load.between(event.began - MARGIN_SECONDS, event.ended + AFTERWARDS_SECONDS))
        return total

    @property
    def longest_seconds(self) -> float:
        """The longest time from an event to its end."""
        return max(event.ended - event.began for event in self.events)


def repeat(name: str, load: Steady, times: int, happen: Callable[[int], Event]) -> Chapter:
    """The same thing so many times; what belongs to one time does not belong to the next."""
    chapter = Chapter(name)
    for number in range(times):
        event = happen(number)
        chapter.events.append(event)
        wait_for_the_end_of(event, load)
    return chapter


def wait_for_the_end_of(event: Event, load: Steady) -> None:
    """Until nothing that is asked from now on belongs to it."""
    load.go_on(PAUSE_QUESTIONS)
    # Answers alone do not tell: thousands may have waited for them, and come at once.
    over = event.ended + AFTERWARDS_SECONDS + 2 * MARGIN_SECONDS
    wait_until(lambda: time.monotonic() > over, "the end of what belongs to an event")


def nothing(load: Steady, times: int) -> Chapter:
    """For comparison: what the machine alone costs."""

    def happen(_number: int) -> Event:
        now = time.monotonic()
        return Event(now, now)

    return repeat("nothing", load, times, happen)


def upgrades(line: Succession, load: Steady, times: int) -> Chapter:
    """In turns as a DaemonSet with maxSurge makes them, and in place."""
    shares: list[tuple[float, float]] = []

    def happen(number: int) -> Event:
        before = hit_share(line.current, load)
        event = line.hand_over(contained=number % 2 == 0)
        shares.append((before, hit_share(line.current, load)))  # its counters began at zero
        return event

    chapter = repeat("hand-over to a new version", load, times, happen)
    chapter.hit_shares = shares
    return chapter


def failing_upgrades(line: Succession, load: Steady, times: int) -> Chapter:
    """To versions whose self-check fails."""
    return repeat("hand-over that fails its self-check", load, times, lambda _number: line.fail_to_hand_over())


def reloads(line: Succession, load: Steady, times: int) -> Chapter:
    """Each changes the addresses that the node has, and how long clients wait for fresh answers."""

    def happen(number: int) -> Event:
        addresses = [LOCAL, LOCAL_V6] + ([ANOTHER] if number % 2 == 0 else [])
        listen = {"addresses": addresses, "port": 53}
        return line.reload({"listen": listen, "cache": {"staleAfter": f"{200 + number % 2}ms"}})

    return repeat("configuration reload", load, times, happen)


def deaths(line: Succession, load: Steady, times: int) -> Chapter:
    """SIGKILL to the worker, not so often that its replacement is put off, and not while it has a burst to answer: of
    that, it has read more than a batch, so that clients take turns.
    """

    def happen(_number: int) -> Event:
        load.calm()
        return line.kill_worker()

    return repeat("worker SIGKILLed", load, times, happen)


def standstills(line: Succession, load: Steady, times: int) -> Chapter:
    """The worker gets no turn for a while, as on a busy machine, and finds thousands of questions."""

    def happen(_number: int) -> Event:
        for _ in range(STANDSTILL_TRIES):
            load.calm()
            event = line.stop_worker(lambda: load.more_asked(STANDSTILL_QUESTIONS))
            if event.ended - event.began <= LONGEST_STANDSTILL_SECONDS:
                return event
            wait_for_the_end_of(event, load)
        raise AssertionError("no standstill was short enough to be judged")

    return repeat("worker without a turn", load, times, happen)


def losses(line: Succession, load: Steady, times: int) -> Chapter:
    """Somebody deletes the address, and not again before repairs have stopped to hesitate."""

    def happen(number: int) -> Event:
        if number:
            load.go_on(CALM_QUESTIONS)
        return line.lose_address()

    return repeat("address deleted by hand", load, times, happen)


def restarts(line: Succession, load: Steady, times: int) -> Chapter:
    """SIGTERM and a new start, without a hand-over."""
    return repeat("restart without hand-over", load, times, lambda _number: line.restart())


def accidents(line: Succession, load: Steady, times: int) -> Chapter:
    """SIGKILL to everything, and a new start."""

    def happen(_number: int) -> Event:
        began = time.monotonic()
        line.kill()
        return Event(began, line.start().ended)

    return repeat("all SIGKILLed, started again", load, times, happen)


def hit_share(resolver: Resolver, load: Steady) -> float:
    """The share of hits in the next second of load."""
    before = _hits_and_misses(resolver)
    load.go_on(SECOND_QUESTIONS)
    hits, misses = (now - then for now, then in zip(_hits_and_misses(resolver), before, strict=True))
    return hits / (hits + misses)


def _hits_and_misses(resolver: Resolver) -> Sequence[float]:
    lines = resolver.admin("/metrics")[1].splitlines()  # one look for both: thousands of questions lie between two
    names = ("coredns_cache_hits_total", "coredns_cache_misses_total")
    return [
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
        for name in names
    ]
