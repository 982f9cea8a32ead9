"""HTTP: POST /mutate over TLS, and health and metrics over plain HTTP. No decision is made here.

Every call ends with an answer: a review with 200, what is no review with 400, and a failure of our own with 200,
`allowed: true` and a warning, because failurePolicy Ignore would not cover an answer that says no. While the webhook
drains, each answer closes its connection: API servers hold theirs open per Service and would go on using it.
"""

import asyncio
import logging
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from resolver.events import event
from webhook import metrics as exposition
from webhook import readiness, words
from webhook.decision import Decision, decide, fail_open
from webhook.metrics import Metrics
from webhook.review import Ask, BadReview, read_review, write_review
from webhook.serving import Serving
from webhook.state import State

MOST_BYTES: Final = 4 << 20
"""Of a body. A pod is at most 1.5 MiB (etcd's limit), and a review may carry it twice."""
BODY_SECONDS: Final = 5.0
"""For a body to arrive; the API server gives up after the webhook's timeoutSeconds, which is less."""
KEEPALIVE_SECONDS: Final = 75.0

_LOG = logging.getLogger("webhook.server")


class Server:
    """Both listeners. `clock` is monotonic seconds, for durations only."""

    def __init__(self, state: State, serving: Serving, metrics: Metrics) -> None:
        self._state = state
        self._serving = serving
        self._metrics = metrics
        self._runners: list[web.AppRunner] = []

    async def start_admission(self, address: str, port: int) -> int:
        """Listen for API servers; the port."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_post(words.MUTATE_PATH, self._mutate)
        app.router.add_post(words.MUTATE_NAMESPACE_PATH, self._mutate)
        self._add_health(app)
        return await self._start(app, address, port, self._serving.context)

    async def start_admin(self, address: str, port: int) -> int:
        """Listen for kubelets and Prometheus; the port."""
        app = web.Application(client_max_size=1024)
        self._add_health(app)
        app.router.add_get("/metrics", self._show_metrics)
        return await self._start(app, address, port, None)

    def _add_health(self, app: web.Application) -> None:
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)

    async def stop(self) -> None:
        """Close both listeners and every connection, after what is being answered."""
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    async def _start(self, app: web.Application, address: str, port: int, context: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_SECONDS, shutdown_timeout=5.0)
        await runner.setup()
        self._runners.append(runner)
        listener = listening_socket(address, port)
        await web.SockSite(runner, listener, ssl_context=context).start()
        return int(listener.getsockname()[1])

    async def _mutate(self, request: web.Request) -> web.Response:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
            ask = read_review(body, by_namespace=request.path == words.MUTATE_NAMESPACE_PATH)
        except BadReview as problem:
            return self._rejected(400, str(problem))
        except web.HTTPRequestEntityTooLarge:
            return self._rejected(413, f"more than {MOST_BYTES} bytes")
        except TimeoutError:
            return self._rejected(408, f"no whole body within {BODY_SECONDS:.0f} seconds")
        decision = self._decide(ask)
        self._metrics.decided(decision, time.perf_counter() - began)
        return self._closing(
            web.Response(body=write_review(ask.uid, decision.verdict), content_type="application/json")
        )

    def _decide(self, ask: Ask) -> Decision:
        try:
            return decide(ask, self._state.dns, self._state.excluded)
        except Exception:  # noqa: BLE001 - whatever it is, it must not keep a pod from starting
            _LOG.exception("a pod went through undecided", extra={"fields": {"namespace": ask.namespace}})
            return fail_open()

    def _rejected(self, code: int, reason: str) -> web.Response:
        self._metrics.rejected(code)
        event(_LOG, logging.WARNING, "a call was no admission review", code=code, reason=reason[:200])
        response = web.Response(status=code, text=f"{reason}\n")
        if code != 400:
            response.force_close()  # the rest of the body is never read
        return self._closing(response)

    def _closing(self, response: web.Response) -> web.Response:
        if self._state.draining:
            response.force_close()
        return response

    async def _healthz(self, request: web.Request) -> web.Response:
        return self._closing(web.Response(text="ok\n"))

    async def _readyz(self, request: web.Request) -> web.Response:
        found = self._checks()
        status = 200 if readiness.is_ready(found) else 503
        return self._closing(web.Response(status=status, text=readiness.text(found)))

    def _checks(self) -> list[readiness.Check]:
        return readiness.checks(
            self._state,
            self._serving.chain,
            certificate_is_valid=self._serving.is_valid(datetime.now(UTC)),
            not_after=self._serving.not_after,
        )

    async def _show_metrics(self, request: web.Request) -> web.Response:
        self._metrics.checked({check.name: check.ok for check in self._checks() if check.needed})
        return web.Response(body=self._metrics.text(), headers={"Content-Type": exposition.CONTENT_TYPE})


def listening_socket(address: str, port: int) -> socket.socket:
    """A TCP socket that listens; `::` takes both families, or IPv4 alone where the machine has no IPv6."""
    if address == "::" and not socket.has_dualstack_ipv6():
        address = "0.0.0.0"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server(
        (address, port), family=family, backlog=256, dualstack_ipv6=address == "::" and family == socket.AF_INET6
    )
