"""/metrics: what the exposition is made from, and the handler that makes it.

Nothing here imports prometheus_client (5 MiB): the first scrape does, in a thread, so that queries go on meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from resolver.cache.store import Store
from resolver.engine import Engine
from resolver.nodestate import NodeState
from resolver.ops.pulse import Pulse
from resolver.ops.requests import Request, Response, Routes
from resolver.upstream.server import Server

if TYPE_CHECKING:
    from resolver.ops.exposition import Exposition

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ENTRIES_PER_TURN = 1000  # a fraction of a millisecond


class ReloadState(Protocol):
    """How taking over changed configuration files has gone."""

    @property
    def successful(self) -> bool:
        """Whether the last one was taken over."""

    @property
    def succeeded_at(self) -> float:
        """When that last happened, in seconds since the epoch."""

    @property
    def results(self) -> Mapping[str, int]:
        """How many, by result: success, failure."""


class ListenerState(NamedTuple):
    """What all listeners together have seen."""

    tcp_connections: int = 0
    tcp_accepted_total: int = 0
    tcp_refused_total: Mapping[str, int] = {}
    """By reason, a word or a few with underscores."""
    tcp_ended_total: Mapping[str, int] = {}
    """Connections that we ended, by reason."""
    udp_lost_total: Mapping[str, int] = {}
    """Replies (or reads) that the kernel refused, by the name of its error."""
    panics_total: int = 0
    """Packets that made the engine raise."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers come from. The callables are asked at each scrape."""

    engine: Engine
    servers: Iterable[Server]
    pulse: Pulse
    reload: ReloadState
    port: Callable[[], int]
    """Of `listen.port`: part of the label `server`."""
    listeners: Callable[[], ListenerState] = ListenerState
    node: Callable[[], NodeState] = NodeState
    """What the process with the privileges last said about the node."""
    log_dropped: Callable[[], int] = int


class MetricsPage:
    """The handler for /metrics."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._exposition: Exposition | None = None

    @property
    def routes(self) -> Routes:
        """What to serve."""
        return {("GET", "/metrics"): self.show}

    async def show(self, _: Request) -> Response:
        """All metrics in Prometheus's text format."""
        if self._exposition is None:
            module = await asyncio.to_thread(import_module, "resolver.ops.exposition")
            self._exposition = module.Exposition(self._sources)
        entries = await count_entries(self._sources.engine.store)
        return Response(200, await self._exposition.text(entries), CONTENT_TYPE)


async def count_entries(store: Store) -> Counter[tuple[str, str]]:
    """How many answers are remembered, by zone and kind; a large store is counted in several turns of the loop."""
    entries = list(store)
    counted: Counter[tuple[str, str]] = Counter()
    for start in range(0, len(entries), _ENTRIES_PER_TURN):
        counted.update(
            (entry.label, entry.answer.facts.kind.value) for entry in entries[start : start + _ENTRIES_PER_TURN]
        )
        await asyncio.sleep(0)
    return counted
