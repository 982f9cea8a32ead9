"""What has changed in the cluster, as the informer tells it, forgotten here: at once, and again while it settles.

A name is told in relation to the Services of all domains (`web.shop`), or with a dot at its end as it is; which answers
that are is for the zones with `freshness` to say, and for those with `searchCompletion`, whose answers name others.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from resolver.engine import Engine
from resolver.freshness import AGAIN_SECONDS
from resolver.message import names
from resolver.upstream.timers import Timers

_ROOT = b"\0"
_SVC = b"\3svc"
_ARPA = b"\4arpa\0"


class _Change(NamedTuple):
    names: tuple[bytes, ...]
    """In full."""
    starts: frozenset[bytes]
    """In relation to the Services, without an end; none where nothing is completed."""
    domains: tuple[bytes, ...]


class Changes:
    """`learn` what has changed."""

    def __init__(self, loop: AbstractEventLoop, timers: Timers, engine: Engine) -> None:
        self._loop, self._timers, self._engine = loop, timers, engine

    def learn(self, told: Sequence[str], *, all_of_them: bool) -> None:
        """Forget what the cluster says of these names; `all_of_them`: all that it says of Services."""
        routes = [route for route in self._engine.routes.all if route.zone.freshness]
        zones = [name for route in routes for name in route.names if name != _ROOT]
        if all_of_them:
            for zone in zones:
                self._engine.flush(zone, below=True)
            return
        domains = tuple(zone for zone in zones if not zone.endswith(_ARPA))
        completes = any(route.zone.search_completion for route in self._engine.routes.all)
        change = _change(told, domains, completes=completes)
        self._engine.freshness.note(change.names, self._loop.time(), change.starts)
        self._forget(change)
        for seconds in AGAIN_SECONDS:
            self._timers.at(self._loop.time() + seconds, lambda _now: self._forget(change))

    def _forget(self, change: _Change) -> None:
        freshness = self._engine.freshness
        freshness.forget(change.names)
        if change.starts:
            self._go_on(freshness.steps(change.starts, change.domains))

    def _go_on(self, step: Callable[[], bool]) -> None:
        """A step now, the next in another turn: clients have theirs in between."""
        if step():
            self._loop.call_soon(self._go_on, step)


def _change(told: Sequence[str], domains: tuple[bytes, ...], *, completes: bool) -> _Change:
    full: list[bytes] = []
    starts: list[bytes] = []
    for name in told:
        with suppress(ValueError):  # no name that could ever be asked for
            wire = names.to_wire(name)
            if name.endswith("."):
                full.append(wire)
                continue
            start = wire[:-1]
            full += [start + _SVC + domain for domain in domains]
            if completes and "." in name:  # one label is a namespace, and no search list makes it of anything
                starts.append(start)
    return _Change(tuple(full), frozenset(starts), domains)
