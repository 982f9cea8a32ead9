"""/cache: what is remembered and how much, and how to have it forgotten. JSON for people and their scripts.

How much it is, everybody may know. What of a name, and to have it forgotten, is for who may (`access.py`): names are
the pods' business, and an empty cache is work for every upstream.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from resolver.cache.entry import Entry
from resolver.engine import Engine
from resolver.lean.jsontext import indented
from resolver.message import codes, names
from resolver.ops.requests import JSON, HttpProblem, Request, Response, Routes

_MOST_SHOWN_BYTES: Final = 64 * 1024
"""How much of one name is shown: making text of it takes a moment in which no query is answered."""

Shown = Mapping[str, object]


class CachePage:
    """The handlers for one engine."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = monotonic) -> None:
        self._engine = engine
        self._clock = clock

    @property
    def routes(self) -> Routes:
        """What to serve."""
        return {("GET", "/cache"): self.show, ("DELETE", "/cache"): self.forget}

    async def show(self, request: Request) -> Response:
        """`?name=` and perhaps `&type=`: what is remembered of it. Without a name: how much is remembered."""
        _only(request, {"name", "type"})
        if "name" not in request.query:
            if request.query:
                raise HttpProblem(400, "a type needs a name beside it: /cache?name=web.shop&type=A")
            return _json(self._summary())
        name = _wire(request.query["name"])
        now = self._clock()
        entries = self._find(name, request.query.get("type"))
        shown: list[Shown] = []
        room = _MOST_SHOWN_BYTES
        for entry in entries:
            room -= entry.size_bytes
            if room >= 0 or not shown:
                shown.append(_show(entry, now))
        page = {"name": names.to_text(name), "entries": shown, "leftOut": len(entries) - len(shown)}
        return _json(page, 200 if shown else 404)

    async def forget(self, request: Request) -> Response:
        """`?name=X`, `?suffix=X` (X and all names below it) or `?all=true`: forget that; says how many answers."""
        _only(request, {"name", "suffix", "all"})
        if len(request.query) != 1:
            raise HttpProblem(400, "say what to forget: one of ?name=web.shop, ?suffix=shop and ?all=true")
        ((what, value),) = request.query.items()
        if what == "all":
            if value != "true":
                raise HttpProblem(400, "to forget everything, say ?all=true")
            forgotten = self._engine.flush_all()
        else:
            forgotten = self._engine.flush(_wire(value), below=what == "suffix")
        return _json({"forgotten": forgotten})

    def _summary(self) -> Shown:
        engine = self._engine
        store = engine.store
        return {
            "entries": len(store),
            "bytes": store.bytes,
            "maxBytes": store.max_bytes,
            "evictions": store.evictions,
            "failures": len(engine.failures),
            "readyReplies": sum(len(via.ready) for via in engine.vias.values()),
            "readyBytes": engine.ready.bytes,
            "readyMaxBytes": engine.ready.max_bytes,
        }

    def _find(self, name: bytes, rtype: str | None) -> list[Entry]:
        store = self._engine.store
        if rtype is None:
            # One pass over all keys: a millisecond for ten thousand names, on a page that people ask for now and then.
            return [entry for entry in store if entry.key[:-5] == name]
        from resolver.message.text import type_number  # noqa: PLC0415 - dnslib, for those who look into the cache

        try:
            key = name + type_number(rtype).to_bytes(2, "big") + codes.CLASS_IN.to_bytes(2, "big")
        except ValueError as error:
            raise HttpProblem(400, str(error)) from None
        variants = (store.peek(key + bytes((bits,))) for bits in range(4))
        return [entry for entry in variants if entry is not None]


def _show(entry: Entry, now: float) -> Shown:
    from resolver.message.text import class_text, records_text, type_text  # noqa: PLC0415 - as above

    answer, question, bits = entry.answer, entry.key[:-1], entry.key[-1]
    fresh_seconds = entry.stored_at + entry.ttl - now
    fresh = entry.is_fresh(now)
    return {
        "name": names.to_text(entry.key[:-5]),
        "type": type_text(int.from_bytes(question[-4:-2], "big")),
        "class": class_text(int.from_bytes(question[-2:], "big")),
        "dnssecOk": bool(bits & 1),
        "checkingDisabled": bool(bits & 2),
        "kind": answer.facts.kind.value,
        "rcode": codes.RCODE_NAMES.get(answer.facts.rcode, str(answer.facts.rcode)),
        "state": "fresh" if fresh else "stale" if now < entry.stale_until else "expired",
        "ttl": entry.ttl,
        "ttlLeftSeconds": max(round(fresh_seconds, 3), 0.0),
        "ageSeconds": round(now - entry.stored_at, 3),
        "staleForSeconds": max(round(entry.stale_until - now, 3), 0.0),
        "server": entry.server,
        "zone": entry.label,
        "asks": entry.asks,
        "bytes": entry.size_bytes,
        "records": records_text(question, answer, cap=entry.cap, age=entry.age(now)),
    }


def _json(value: Shown, status: int = 200) -> Response:
    return Response(status, indented(value), JSON)


def _only(request: Request, known: set[str]) -> None:
    unknown = sorted(set(request.query) - known)
    if unknown:
        raise HttpProblem(400, f"unknown: {', '.join(unknown)}; known here: {', '.join(sorted(known))}")


def _wire(text: str) -> bytes:
    try:
        return names.to_wire(text)
    except ValueError as error:
        raise HttpProblem(400, f"not a domain name: {error}") from None
