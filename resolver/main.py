"""The composition root: wires the resolver to the process around it (log, admin endpoints, reload, signals).

`run_service` and `run_demo` are the two ways to run; both return an exit status. Only this module and `core` know how
the parts fit together; each part is written and tested without the others.
"""

import asyncio
import gc
import logging
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from resolver import __version__
from resolver.config import Config, without_effect
from resolver.core import Resolver
from resolver.ops.admin import AdminPlace
from resolver.ops.cachepage import CachePage
from resolver.ops.health import Health, Readiness
from resolver.ops.logs import Logs, event, observe_query
from resolver.ops.metrics import MetricsPage
from resolver.ops.pulse import Pulse
from resolver.ops.reload import Reload
from resolver.ops.sources import ListenerState, Sources

_log = logging.getLogger(__name__)

CANNOT_START = 1
_FEW_DESCRIPTORS = 4096
_MAX_DESCRIPTORS = 65536
"""More than the limits on connections and lookups can use; an endless limit makes some programs slow at exec."""


class Service:
    """A resolver with its admin endpoints, its log and its reload. `path` is None where nothing is to be reloaded."""

    def __init__(self, config: Config, path: str | None, text: str, logs: Logs) -> None:
        self.logs = logs
        self.resolver = Resolver(config)
        self.reload = Reload(path or "", text, config, self._apply)
        self._watching = path is not None
        engine = self.resolver.engine
        self._pulse = Pulse(engine)
        self._readiness = Readiness(engine)
        sources = Sources(
            engine,
            self.resolver.zones.servers,
            self._pulse,
            self.reload,
            port=lambda: self.resolver.config.listen.port,
            listeners=lambda: ListenerState(*self.resolver.census.seen()),
            log_dropped=lambda: self.logs.dropped_total,
        )
        health = Health(lambda: list(self.resolver.listeners), self._pulse)
        pages = (MetricsPage(sources), health, self._readiness, CachePage(engine))
        self._admin = AdminPlace({place: handler for page in pages for place, handler in page.routes.items()})
        self._log_queries(config)

    async def start(self) -> None:
        """Begin to answer; raises OSError, and then nothing is left open."""
        await self.resolver.start()
        try:
            await self._admin.start(self.resolver.config.admin)
        except OSError:
            await self.resolver.close()
            raise
        self._pulse.start()
        if self._watching:
            self.reload.start()
        self._readiness.starting = False

    async def close(self) -> None:
        """Answer what was read, say so on /ready meanwhile, then stop."""
        self._readiness.draining = True
        self.reload.close()
        await self.resolver.close()
        self._pulse.close()
        await self._admin.close()

    def _apply(self, config: Config) -> None:
        """Take over a configuration; raises OSError, and then nothing has changed."""
        admin = self._admin.bind(config.admin)
        try:
            self.resolver.apply(config)
        except BaseException:
            if admin is not None:
                admin.close()
            raise
        self.logs.reconfigure(config.log)
        self._log_queries(config)
        if admin is not None:
            self._admin.move(config.admin, admin)

    def _log_queries(self, config: Config) -> None:
        self.resolver.engine.observe(observe_query if config.log.queries else None)


def run_service(path: str, text: str, config: Config) -> int:
    """Run the resolver that `path` describes until SIGTERM or SIGINT; the exit status."""

    async def serve(logs: Logs) -> int:
        return await _serve(Service(config, path, text, logs), path)

    return _with_log(config, serve)


def run_demo() -> int:
    """Show the resolver in front of an imagined cluster until Ctrl-C; the exit status."""
    from resolver import demo  # noqa: PLC0415 - nothing of it belongs into the memory of a node's resolver

    async def show(logs: Logs) -> int:
        async def start(config: Config) -> Service:
            logs.reconfigure(config.log)
            service = Service(config, None, "", logs)
            await service.start()
            return service

        await demo.run(start, sys.stdout)
        return 0

    return _with_log(Config(), show)


def _with_log(config: Config, work: Callable[[Logs], Coroutine[Any, Any, int]]) -> int:
    logs = Logs(config.log)
    logs.start()
    try:
        return uvloop.run(work(logs))
    finally:
        logs.close()


async def _serve(service: Service, path: str) -> int:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()

    def ask_to_stop(name: str) -> None:
        if not stop.done():
            stop.set_result(name)

    # Before the start: the first process of a container has no handlers but its own, so a signal would go unheard.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)
    try:
        await service.start()
    except OSError as error:
        event(_log, logging.ERROR, "cannot start", reason=error.strerror or str(error))
        return CANNOT_START
    loop.add_signal_handler(signal.SIGHUP, service.reload.now)
    tune_process()
    for key in without_effect(service.resolver.config):
        event(_log, logging.WARNING, "a key has no effect", key=key.path, reason=key.message)
    event(_log, logging.INFO, "started", version=__version__, config=path)
    why = await stop
    event(_log, logging.INFO, "stopping", signal=why)
    await service.close()
    event(_log, logging.INFO, "stopped")
    return 0


def tune_process() -> None:
    """Settings of the process for a server: enough file descriptors, and fewer, cheaper garbage collections.

    Everything per query is freed by its reference count; the collector is for the rare cycles, and a full pass over a
    large cache would stop the loop for tens of milliseconds.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < _FEW_DESCRIPTORS:
        event(_log, logging.WARNING, "few file descriptors, many TCP clients can use them up", limit=wanted)
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)
