"""/metrics: the handler that makes the exposition."""

import asyncio
from collections import Counter
from typing import Final

from resolver.cache.store import Store
from resolver.ops.exposition import Exposition
from resolver.ops.requests import Request, Response, Routes
from resolver.ops.sources import Sources

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ENTRIES_PER_TURN = 1000  # a fraction of a millisecond


class MetricsPage:
    """The handler for /metrics."""

    def __init__(self, sources: Sources) -> None:
        self._store = sources.engine.store
        self._exposition = Exposition(sources)

    @property
    def routes(self) -> Routes:
        """What to serve."""
        return {("GET", "/metrics"): self.show}

    async def show(self, _: Request) -> Response:
        """All metrics in Prometheus's text format."""
        entries = await count_entries(self._store)
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
