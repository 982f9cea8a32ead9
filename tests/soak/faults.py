"""What happens to a resolver during a soak, one thing at a time, each undone at its end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.lab.topology import Lab
from tests.lab.waiting import wait_until
from tests.soak.logpipe import Piped
from tests.soak.truth import Truth

Lasts = Callable[[float], None]
"""Lets so many seconds of load pass."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it happens."""

    lab: Lab
    cluster: Truth
    line: Piped


@dataclass(frozen=True, slots=True)
class Fault:
    """`happens` lasts as long as it is told to. `away`: a server cannot be asked, so SERVFAIL is the truth about what
    is not known; `loses`: questions may get lost on their way; `replaces`: a process is replaced by another.
    """

    name: str
    happens: Callable[[Stage, Lasts, float], None]
    away: bool = False
    loses: bool = False
    replaces: bool = False


def _nothing(_stage: Stage, lasts: Lasts, seconds: float) -> None:
    lasts(seconds)


def _killed(stage: Stage, lasts: Lasts, seconds: float) -> None:
    stage.cluster.kill()
    lasts(seconds)
    stage.cluster.start()


def _dark(stage: Stage, lasts: Lasts, seconds: float) -> None:
    with stage.lab.cluster.dark():
        lasts(seconds)


def _slow(stage: Stage, lasts: Lasts, seconds: float) -> None:
    """Stands still again and again, longer than one try."""
    passed = 0.0
    while passed < seconds:
        stage.cluster.freeze()
        lasts(0.5)
        stage.cluster.thaw()
        lasts(0.3)
        passed += 0.8


def _worker_killed(stage: Stage, lasts: Lasts, seconds: float) -> None:
    # The supervisor may have another child for half a second, which puts the node in order.
    wait_until(lambda: len(stage.line.current.workers()) == 1, "the worker alone")
    stage.line.kill_worker()
    lasts(seconds)


def _hand_over(stage: Stage, lasts: Lasts, seconds: float) -> None:
    stage.line.hand_over()
    lasts(seconds)


def _reload(stage: Stage, lasts: Lasts, seconds: float) -> None:
    stage.line.reload({"cache": {"size": "4Mi", "prefetch": False}})
    lasts(seconds)
    stage.line.reload({"cache": {"size": "4Mi"}})


def _address_removed(stage: Stage, lasts: Lasts, seconds: float) -> None:
    stage.line.lose_address()
    lasts(seconds)


def _log_unread(stage: Stage, lasts: Lasts, seconds: float) -> None:
    """With a line for each query, which the pipe soon has no room for."""
    stage.line.reload({"log": {"queries": True}})
    with stage.line.nobody_reads():
        lasts(seconds)
    stage.line.reload({"log": {"queries": False}})


REPLACING: Final = (
    Fault("worker killed", _worker_killed, replaces=True, loses=True),
    Fault("hand-over", _hand_over, replaces=True),
)
OTHERS: Final = (
    Fault("none", _nothing),
    Fault("CoreDNS killed", _killed, away=True),
    Fault("configuration reloaded", _reload),
    Fault("CoreDNS dark", _dark, away=True),
    Fault("address removed", _address_removed, loses=True),
    Fault("CoreDNS slow", _slow, away=True),
    Fault("log not read", _log_unread),
)
