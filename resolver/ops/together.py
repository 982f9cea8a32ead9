"""What several workers say together on the admin endpoints, which one of them serves.

A request is asked of all of them; metrics are added up, /health and /ready hold only where they hold for each, and what
is remembered (or forgotten) is put together.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from resolver.ops.requests import Handler, Request, Response, Routes

# Of these there is one truth for all workers, or the worst counts; everything else is added up.
_GREATEST = (
    "nodelocaldns_build_info", "coredns_build_info", "nodelocaldns_config_", "nodelocaldns_event_loop_lag_seconds",
    "process_max_fds", "python_info", "coredns_nodecache_", "nodelocaldns_node_", "nodelocaldns_conntrack_bypass",
)  # fmt: skip
_LEAST = ("nodelocaldns_upstream_healthy", "process_start_time_seconds")


class Answered(NamedTuple):
    """What one sibling said."""

    worker: int
    status: int
    """0: it did not answer, and the body says why."""
    body: str


class Siblings(Protocol):
    """The other workers."""

    index: int
    """The number of this one."""

    async def ask(self, request: Request) -> Sequence[Answered]:
        """What each of the others says; never raises."""


def together(routes: Routes, siblings: Siblings) -> Routes:
    """The same routes, answered for all workers."""
    return {place: _asking_all(handler, siblings) for place, handler in routes.items()}


def _asking_all(handler: Handler, siblings: Siblings) -> Handler:
    async def show(request: Request) -> Response:
        # First here: a request that cannot be served raises, and then nobody else is asked.
        own = await handler(request)
        others = await siblings.ask(request)
        body = own.body if isinstance(own.body, str) else own.body.decode()
        answers = sorted([Answered(siblings.index, own.status, body), *others])
        if request.path == "/metrics":
            texts = [answer.body for answer in answers if answer.status]
            merged = await asyncio.to_thread(add_up, texts)
            return own._replace(body=merged)
        if request.path in ("/health", "/ready"):
            return _states(own, answers)
        return _contents(own, answers)

    return show


def add_up(texts: Iterable[str]) -> str:
    """One exposition in Prometheus's text format out of several that were made by the same code."""
    head: dict[str, list[str]] = {}  # by family, in the order in which they were met
    samples: dict[str, dict[str, float]] = {}
    for text in texts:
        family = ""
        for line in text.splitlines():
            if line.startswith("#"):
                family = line.split(" ", 3)[2]
                lines = head.setdefault(family, [])
                if line not in lines:
                    lines.append(line)
            elif line:
                key, _, value = line.rpartition(" ")
                values = samples.setdefault(family, {})
                values[key] = _both(family, values[key], float(value)) if key in values else float(value)
    out: list[str] = []
    for family, lines in head.items():
        out += lines
        out += (f"{key} {value!r}" for key, value in samples.get(family, {}).items())
    return "\n".join(out) + "\n"


def _both(family: str, one: float, other: float) -> float:
    if family.startswith(_GREATEST):
        return max(one, other)
    return min(one, other) if family.startswith(_LEAST) else one + other


def _states(own: Response, answers: Sequence[Answered]) -> Response:
    """/health and /ready: each worker's own page, and the reasons of all."""
    states: list[dict[str, Any]] = []
    reasons: list[str] = []
    for answer in answers:
        state = json.loads(answer.body) if answer.status else {"status": "silent", "reasons": [answer.body]}
        reasons += [f"worker {answer.worker}: {reason}" for reason in state["reasons"]]
        states.append({"worker": answer.worker, **state})
    bad = next((state["status"] for state in states if state["reasons"]), None)
    good = next((state["status"] for state in states if not state["reasons"]), "")
    page = {"status": bad or good, "reasons": reasons, "workers": states}
    return own._replace(status=503 if bad else 200, body=json.dumps(page, indent=2))


def _contents(own: Response, answers: Sequence[Answered]) -> Response:
    """/cache: numbers are added up, lists joined."""
    page: dict[str, Any] = {}
    for answer in answers:
        if answer.status in (200, 404):
            for name, value in json.loads(answer.body).items():
                known = page.get(name)
                page[name] = known + value if isinstance(value, int | list) and known is not None else value
    page["workers"] = len(answers)
    silent = [answer.worker for answer in answers if not answer.status]
    if silent:
        page["silentWorkers"] = silent
    status = 200 if any(answer.status == 200 for answer in answers) else own.status
    return own._replace(status=status, body=json.dumps(page, indent=2))
