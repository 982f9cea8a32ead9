"""What several workers say together on the admin endpoints, which one of them serves.

A request is asked of all of them; metrics are added up, /health and /ready hold only where they hold for each, and what
is remembered (or forgotten) is put together.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from resolver.ops.requests import Handler, Request, Response, Routes
from resolver.ops.sums import Answered, Sums


class Siblings(Protocol):
    """The other workers."""

    index: int
    """The number of this one."""
    sums: str
    """What its predecessor in this place has kept (`Sums.kept`)."""

    async def ask(self, request: Request) -> Sequence[Answered]:
        """What each of the others says; never raises."""

    def keep(self, sums: str) -> None:
        """Have somebody keep this for who comes into this place next."""


def together(routes: Routes, siblings: Siblings) -> Routes:
    """The same routes, answered for all workers."""
    sums, lock = Sums(siblings.sums), asyncio.Lock()

    async def add_up(answers: Sequence[Answered]) -> str:
        async with lock:
            told = await asyncio.to_thread(sums.told, answers)
            siblings.keep(sums.kept())
            return told

    return {place: _asking_all(handler, siblings, add_up) for place, handler in routes.items()}


def _asking_all(
    handler: Handler, siblings: Siblings, add_up: Callable[[Sequence[Answered]], Awaitable[str]]
) -> Handler:
    async def show(request: Request) -> Response:
        # First here: a request that cannot be served raises, and then nobody else is asked.
        own = await handler(request)
        others = await siblings.ask(request)
        body = own.body if isinstance(own.body, str) else own.body.decode()
        answers = sorted([Answered(siblings.index, own.status, body, os.getpid()), *others])
        if request.path == "/metrics":
            return own._replace(body=await add_up(answers))
        if request.path == "/status":
            return _figures(own, answers)
        if request.path in ("/health", "/ready"):
            return _states(own, answers)
        return _contents(own, answers)

    return show


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


def _figures(own: Response, answers: Sequence[Answered]) -> Response:
    """/status: see there."""
    from resolver.ops.figures import together as all_figures  # noqa: PLC0415 - for those who look

    page = all_figures([json.loads(answer.body) for answer in answers if answer.status])
    page["silentWorkers"] = [answer.worker for answer in answers if not answer.status]
    return own._replace(body=json.dumps(page))


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
