"""/top: who asks what on this node, from the survey that listeners keep; and whose addresses they are, from a file.

Names are the pods' business: the page is for who may look into the cache by name (`access.py`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from json import dumps, loads
from time import monotonic
from typing import Any, Final

from resolver.events import event
from resolver.message import names
from resolver.ops.requests import JSON, HttpProblem, Request, Response, Routes
from resolver.ops.watch import FileWatch
from resolver.survey.sketch import Row, Sketch
from resolver.survey.survey import WINDOW_SECONDS, Owner, Survey
from resolver.upstream.routes import Routes as ZoneRoutes
from resolver.upstream.server import Server

_log = logging.getLogger(__name__)

MOST_OWNERS: Final = 4096
_SHOWN: Final = 50
_ROWS_PER_TURN = 256  # a fraction of a millisecond

Entry = dict[str, object]


class Surveying:
    """Keeps a survey in time while it is started, and serves it."""

    def __init__(
        self, survey: Survey, servers: Iterable[Server], zones: Callable[[], ZoneRoutes[Server]],
        clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._survey = survey
        self._servers = servers
        self._zones = zones
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._watch: FileWatch | None = None

    @property
    def routes(self) -> Routes:
        """What to serve."""
        return {("GET", "/top"): self.show}

    def start(self, owners_file: str) -> None:
        """Turn windows on the running loop, and follow the file that says whose addresses they are ("": none)."""
        self._tick(asyncio.get_running_loop())
        if owners_file:
            self._watch = FileWatch(owners_file, self._owners_changed, self._owners_unreadable)
            self._watch.read_now()
            self._watch.start()

    def close(self) -> None:
        """Stop. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def show(self, request: Request) -> Response:
        """The busiest of each kind; with `?asked=true` all that is known of what workloads asked for."""
        if request.query not in ({}, {"asked": "true"}):
            raise HttpProblem(400, "known here: ?asked=true")
        survey, now = self._survey, self._clock()
        zones = self._zones()
        page: dict[str, object] = {
            "queries": survey.total,
            "samples": survey.samples,
            "pods": [{**_owner(each), **row} for each, row in self._busiest(survey.pods, now)],
            "namespaces": [{"namespace": each, **row} for each, row in self._busiest(survey.namespaces, now)],
            "names": [{"name": names.to_text(each), **row} for each, row in self._busiest(survey.names, now)],
            "missing": [{"name": names.to_text(each), **row} for each, row in self._busiest(survey.missing, now)],
            "upstreams": [_upstream(server) for server in self._servers],
            "seconds": round(now - survey.since),
        }
        if request.query:
            page["searches"] = [names.to_text(each) for each in zones.searches]
            page["asked"] = await self._asked()
        return Response(200, dumps(page), JSON)

    async def _asked(self) -> list[Entry]:
        """Every row, a few in each turn of the loop."""
        found: list[Entry] = []
        for asked, row in self._survey.asked:
            found.append(
                {**asked._asdict(), "name": names.to_text(asked.name), "queries": row.count, "error": row.error}
            )
            if not len(found) % _ROWS_PER_TURN:
                await asyncio.sleep(0)
        return found

    def _busiest(self, sketch: Sketch[Any], now: float) -> Iterator[tuple[Any, Entry]]:
        rate = self._survey.rate
        rows: list[tuple[Any, Row]] = sorted(sketch, key=lambda each: (-rate(each[1], now), -each[1].count))
        for key, row in rows[:_SHOWN]:
            yield key, {"queries": row.count, "error": row.error, "rate": round(rate(row, now), 2)}

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(WINDOW_SECONDS, self._tick, loop)
        self._survey.tick(self._clock())

    def _owners_changed(self, text: str) -> None:
        try:
            owners = read_owners(text)
        except ValueError as error:
            self._owners_unreadable(str(error))
            return
        self._survey.owners = owners
        event(_log, logging.INFO, "owners of addresses were read", owners=len(owners))

    def _owners_unreadable(self, reason: str) -> None:
        """Those that are known stay."""
        event(_log, logging.WARNING, "owners of addresses cannot be read", reason=reason)


def read_owners(text: str) -> Mapping[str, Owner]:
    """Owners by address from JSON: address to {"namespace", "pod", "workload", "lean"}. Raises ValueError."""
    table = loads(text)
    if not isinstance(table, dict) or len(table) > MOST_OWNERS:
        raise ValueError(f"expected a mapping of at most {MOST_OWNERS} addresses")
    owners = {}
    for address, what in table.items():
        if not isinstance(what, dict):
            raise ValueError(f"{address}: expected a mapping")  # noqa: TRY004 - one exception comes out
        text_of = {key: str(what.get(key, "")) for key in ("pod", "namespace", "workload")}
        owners[address] = Owner(**text_of, lean=what.get("lean") is True)
    return owners


def _owner(owner: Owner) -> Entry:
    return dict(owner._asdict())


def _upstream(server: Server) -> Entry:
    took = server.durations.values()
    return {
        "to": str(server),
        "transport": server.transport.value,
        "answers": sum(sum(each.counts) for each in took),
        "busySeconds": round(sum(each.sum_seconds for each in took), 6),
        "failures": server.health.failures_total,
        "down": server.health.down,
    }
