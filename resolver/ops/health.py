"""/health: does this process still answer? /ready: can it answer what it is asked?

/health asks the resolver itself, through its own UDP sockets, a question that needs no upstream: the version query that
the engine refuses (class CHAOS). So it fails when a socket, the loop or the engine no longer work, and never because of
an upstream: restarting the resolver would not mend that. A loop that is late is reported, but no failure as long as an
answer comes: on a node that is short of CPU a restart would only add load. /ready is about upstreams: per zone, one
that works or answers to stand in for it.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from resolver.cache.store import Store
from resolver.engine import Engine
from resolver.lean.jsontext import indented
from resolver.message import codes, names
from resolver.message.ask import write_identity_query
from resolver.nodestate import NodeState
from resolver.ops.pulse import Pulse
from resolver.ops.requests import JSON, Request, Response, Routes
from resolver.upstream.routes import Route
from resolver.upstream.server import Server

Place = tuple[str, int]
"""An address and a port that the resolver listens on."""

ANSWER_SECONDS: Final = 1.0
"""How long its own answer may take."""
PULSE_LOST_SECONDS: Final = 10.0
_REMEMBERED_SECONDS = 1.0
_REPLY_BYTES = 512


class Health:
    """The handler for /health. `places` gives where the resolver listens now, `node` what is known of the node.

    `shared`: siblings listen at the same places, and the kernel gives the question to any of them.
    """

    def __init__(
        self,
        places: Callable[[], Iterable[Place]],
        pulse: Pulse,
        *,
        node: Callable[[], NodeState] = NodeState,
        shared: bool = False,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._places = places
        self._pulse = pulse
        self._node = node
        self._silent = ", of this worker or a sibling" if shared else ""
        self._answer_seconds = answer_seconds
        self._lock = asyncio.Lock()
        self._known: Response | None = None
        self._known_at = 0.0

    @property
    def routes(self) -> Routes:
        """What to serve."""
        return {("GET", "/health"): self.show}

    async def show(self, _: Request) -> Response:
        """The state of health, found out at most once per second however many ask."""
        async with self._lock:
            if self._known is None or monotonic() - self._known_at >= _REMEMBERED_SECONDS:
                self._known = await self._check()
                self._known_at = monotonic()
            return self._known

    async def _check(self) -> Response:
        places = list(self._places())
        found = await asyncio.gather(*(ask_itself(place, self._answer_seconds) for place in places))
        reasons = [
            f"{_text(place)}: {took}{self._silent}"
            for place, took in zip(places, found, strict=True)
            if isinstance(took, str)
        ]
        if not places:
            reasons.append("not listening yet")
        last_beat = self._pulse.last_beat
        if last_beat is not None and monotonic() - last_beat > PULSE_LOST_SECONDS:
            reasons.append(f"no pulse for {monotonic() - last_beat:.0f} s")
        return _json(
            {
                "status": "failing" if reasons else "ok",
                "reasons": reasons,
                "listeners": [
                    {"address": _text(place), "answered": not isinstance(took, str)}
                    | ({} if isinstance(took, str) else {"milliseconds": round(took * 1000, 3)})
                    for place, took in zip(places, found, strict=True)
                ],
                "loopLagMilliseconds": round(self._pulse.lag_seconds * 1000, 3),
                "worstLoopLagOfTheMinuteMilliseconds": round(self._pulse.worst_lag_seconds * 1000, 3),
                "node": show_node(self._node(), monotonic()),
            },
            ok=not reasons,
        )


async def ask_itself(place: Place, seconds: float) -> float | str:
    """Ask whoever listens there over UDP for `id.server. CH TXT`: the seconds any reply took, or why there is none."""
    loop = asyncio.get_running_loop()
    query_id = os.urandom(2)
    query = write_identity_query(query_id)
    started_at = monotonic()
    try:
        with socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(place)
            sock.send(query)
            async with asyncio.timeout(seconds):
                while True:
                    reply = await loop.sock_recv(sock, _REPLY_BYTES)
                    if reply[:2] == query_id and len(reply) > 2 and reply[2] & codes.QR >> 8:
                        return monotonic() - started_at
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except OSError as error:
        return error.strerror or str(error)


def show_node(node: NodeState, now: float) -> dict[str, object]:
    """The node as values of JSON. On /health a detail only: a restart would not put back what its keeper cannot."""
    shown: dict[str, object] = {"ok": node.ok, "device": node.device, "missingAddresses": list(node.missing)}
    shown["rules"] = node.rules
    if node.bypass is not None:
        shown["conntrackBypass"] = {
            "result": node.bypass.result.value,
            "reason": node.bypass.reason,
            "secondsAgo": round(now - node.bypass.at),
        }
    shown["trouble"] = node.trouble
    return shown


class Readiness:
    """The handler for /ready. Its owner says `starting = False` once it listens, and `draining = True` at the end."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = monotonic) -> None:
        self.starting = True
        self.draining = False
        self._engine = engine
        self._clock = clock
        self._stale_zones: set[str] = set()
        self._stale_known_at: float | None = None

    @property
    def routes(self) -> Routes:
        """What to serve."""
        return {("GET", "/ready"): self.show}

    async def show(self, _: Request) -> Response:
        """Whether pods can be told to ask here."""
        reasons = self.reasons()
        zones = []
        for route in self._engine.routes.all:
            up = _is_up(route)
            stale = not up and self._has_stale(route)
            zones.append(
                {
                    "zone": route.label,
                    "names": [names.to_text(name) for name in route.names],
                    "usable": up or stale,
                    "fromMemoryOnly": stale,
                    "servers": [show_server(server) for server in route.servers],
                }
            )
        status = "not ready" if reasons else "ready"
        return _json({"status": status, "reasons": reasons, "zones": zones}, ok=not reasons)

    def reasons(self) -> list[str]:
        """Why pods should not be told to ask here; empty: they can be."""
        found = [word for word, holds in (("starting", self.starting), ("draining", self.draining)) if holds]
        return found + [
            f"zone {route.label} has no upstream that answers, and no answers to stand in"
            for route in self._engine.routes.all
            if not _is_up(route) and not self._has_stale(route)
        ]

    def _has_stale(self, route: Route[Server]) -> bool:
        """Whether something of a zone could be served stale. Looked up at most once per second: it reads the store."""
        now = self._clock()
        if self._stale_known_at is None or now - self._stale_known_at >= _REMEMBERED_SECONDS:
            self._stale_zones = _zones_in(self._engine.store, now)
            self._stale_known_at = now
        return route.zone.serve_stale_seconds > 0 and route.label in self._stale_zones


def _is_up(route: Route[Server]) -> bool:
    return any(not server.health.down for server in route.servers)


def _zones_in(store: Store, now: float) -> set[str]:
    return {entry.label for entry in store if now < entry.stale_until}


def show_server(server: Server) -> dict[str, object]:
    """A server as values of JSON."""
    latency = server.health.latency_seconds
    states = [channel.snapshot() for channel in server.channels]
    return {
        "address": str(server),
        "transport": server.transport.value,
        "up": not server.health.down,
        "latencyMilliseconds": None if latency is None else round(latency * 1000, 3),
        "connections": sum(state.connections for state in states),
        "inFlight": sum(state.in_flight for state in states),
    }


def _text(place: Place) -> str:
    address, port = place
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _json(value: dict[str, object], *, ok: bool) -> Response:
    return Response(200 if ok else 503, indented(value), JSON)
