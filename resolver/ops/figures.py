"""What /status tells: totals since the worker began, from which whoever asks twice makes rates, and how things stand.

Several workers' figures are put together by rules that look at nothing but the kind of value, so that a new figure
needs no rule of its own: counts are added up, what must hold for each holds for all, and of a time the longest counts.
"""

import os
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from resolver import __version__
from resolver.histogram import BOUNDS_SECONDS, Histogram
from resolver.message import codes
from resolver.message.names import to_text
from resolver.ops.families import merged
from resolver.ops.health import Readiness, show_node, show_server
from resolver.ops.recent import latest
from resolver.ops.sources import Sources
from resolver.outcome import Source

Figures = dict[str, Any]

_BOUNDS: Final = (*(f"{1000 * bound:g}" for bound in BOUNDS_SECONDS), "+Inf")
"""Milliseconds: names of the buckets."""


def figures(sources: Sources, readiness: Readiness, since: float) -> Figures:
    """Everything that one process, begun at `since` (monotonic seconds), can tell: values that JSON knows."""
    engine, now = sources.engine, monotonic()
    reasons = readiness.reasons()
    return {
        "version": __version__,
        "node": os.uname().nodename,
        "upSeconds": round(now - since, 1),
        "ready": not reasons,
        "reasons": reasons,
        "replies": _replies(sources),
        "rcodes": _rcodes(sources),
        "dropped": {drop.name.lower(): count for drop, count in engine.tallies.dropped.items()},
        "milliseconds": _durations(sources),
        "cache": {
            "entries": len(engine.store),
            "bytes": engine.store.bytes + engine.ready.bytes,
            "maxBytes": engine.store.max_bytes + engine.ready.max_bytes,
            "evictions": engine.store.evictions,
            "prefetches": engine.tallies.prefetches_total,
        },
        "lookups": {
            "underWay": len(engine.flights),
            "waiting": engine.flights.waiting,
            "joined": engine.flights.joined_total,
            "refused": engine.flights.rejected_total,
        },
        "upstreams": _upstreams(sources),
        "top": sources.survey is not None,
        "worstLoopLagMilliseconds": round(1000 * sources.pulse.worst_lag_seconds, 1),
        "network": show_node(sources.node(), now),
        "configurationInForce": bool(sources.reload.successful),
        "workersReplaced": dict(sources.replaced()),
    }


def _replies(sources: Sources) -> dict[str, int]:
    """How many, by where they came from."""
    counted = {source.name.lower(): 0 for source in Source}
    for labels, cell in sources.engine.tallies.cells.items():
        counted[labels.source.name.lower()] += cell[0]
    return counted


def _rcodes(sources: Sources) -> dict[str, int]:
    counted: dict[str, int] = {}
    for labels, cell in sources.engine.tallies.cells.items():
        name = codes.RCODE_NAMES.get(labels.rcode, str(labels.rcode))
        counted[name] = counted.get(name, 0) + cell[0]
    return counted


def _durations(sources: Sources) -> dict[str, dict[str, int]]:
    """Replies by the time they took, for what was ready and for what had to wait for something: counts by bucket."""
    waited = Histogram()
    for took in sources.engine.tallies.durations.values():
        waited = merged(waited, took)
    return {"ready": _buckets(sources.engine.tallies.hit_durations), "waited": _buckets(waited)}


def _buckets(took: Histogram) -> dict[str, int]:
    return {bound: count for bound, count in zip(_BOUNDS, took.counts, strict=True) if count}


def _upstreams(sources: Sources) -> dict[str, Figures]:
    """The servers by their address and transport."""
    zones: dict[str, list[str]] = {}
    for route in sources.engine.routes.all:
        for server in route.servers:
            zones.setdefault(_key(server.name, server.transport.value), []).extend(map(to_text, route.names))
    return {
        (key := _key(server.name, server.transport.value)): {
            **show_server(server),
            "answers": sum(sum(took.counts) for took in server.durations.values()),
            "failures": server.health.failures_total,
            "zones": ", ".join(zones.get(key, [])),
        }
        for server in sources.servers
    }


def _key(address: str, transport: str) -> str:
    return f"{address} {transport}"


# ------------------------------------------------------------------------------------------------ several workers

_LONGEST: Final = ("upSeconds", "worstLoopLagMilliseconds", "latencyMilliseconds", "secondsAgo")


def together(pages: list[Figures]) -> Figures:
    """What several processes tell, as one; the first is of the one that knows the node."""
    first, *others = pages
    for other in others:
        first = _both(first, other)
    if "changes" in first:
        first["changes"] = latest(first["changes"])
    return {**first, "workers": len(pages)}


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> Figures:
    return {name: _one(name, one.get(name), other.get(name)) for name in {**one, **other}}


def _one(name: str, mine: Any, its: Any) -> Any:  # noqa: ANN401 - any value of JSON
    if mine is None or its is None:
        return its if mine is None else mine
    if isinstance(mine, bool):
        return mine and its
    if isinstance(mine, dict):
        return _both(mine, its)
    if isinstance(mine, list):
        return [*mine, *(each for each in its if each not in mine)]
    if isinstance(mine, str):
        return mine
    return max(mine, its) if name in _LONGEST else mine + its
