"""A resolver with the operations around it: log, admin endpoints, the pulse. What a worker runs, and the demo.

Only this module and `core` know how the parts fit together; each part is written and tested without the others.
"""

import asyncio
import gc
import socket

from resolver.config import Config
from resolver.core import Resolver, Sockets
from resolver.nodestate import NodeState
from resolver.ops.admin import AdminPlace
from resolver.ops.cachepage import CachePage
from resolver.ops.health import ANSWER_SECONDS, Health, Readiness, ask_itself
from resolver.ops.logs import Logs
from resolver.ops.metrics import MetricsPage
from resolver.ops.pulse import Pulse
from resolver.ops.reload import ReloadState
from resolver.ops.requests import Routes
from resolver.ops.sources import ListenerState, Sources
from resolver.ops.together import Siblings, together


class Service:
    """One resolver process; `siblings` are the others that answer at the same places, if there are any."""

    def __init__(self, config: Config, logs: Logs, siblings: Siblings | None = None) -> None:
        self.logs = logs
        self.resolver = Resolver(config)
        self.reload = ReloadState()
        self.node = NodeState()
        """What the supervisor knows of the node."""
        self.replaced: dict[str, int] = {}
        """Workers that it had to replace, by reason."""
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
            node=lambda: self.node,
            replaced=lambda: self.replaced,
        )
        health = Health(lambda: list(self.resolver.listeners), self._pulse, node=lambda: self.node)
        pages = (MetricsPage(sources), health, self._readiness, CachePage(engine))
        self.routes: Routes = {place: handler for page in pages for place, handler in page.routes.items()}
        """What this process alone says."""
        self._admin = AdminPlace(self.routes if siblings is None else together(self.routes, siblings))
        self._log_queries(config)

    async def start(self, sockets: Sockets, admin: socket.socket | None) -> None:
        """Begin to answer on these sockets. `admin`: of the admin endpoints; None: another process serves them."""
        await self.resolver.start(sockets)
        if admin is not None:
            await self._admin.start(admin)
        self._pulse.start()
        self._readiness.starting = False

    async def check(self) -> str:
        """Whether this process answers: "" or the reason why not. Asked before it reads any pod's packet."""
        async with self.resolver.trying() as place:
            took = await ask_itself(place, ANSWER_SECONDS)
        return took if isinstance(took, str) else ""

    def apply(self, config: Config, sockets: Sockets, admin: socket.socket | None) -> "asyncio.Task[None] | None":
        """Take over a configuration; `sockets` and `admin` are what is new in it. A task: the admin endpoints move."""
        self.resolver.apply(config, sockets)
        self.logs.reconfigure(config.log)
        self._log_queries(config)
        return None if admin is None else self._admin.move(admin)

    def drain(self) -> None:
        """Say on /ready that the end is near."""
        self._readiness.draining = True

    async def close(self, *, queued: bool = True) -> None:
        """Answer what was read (and, with `queued`, what waits in the kernel), then stop."""
        self.drain()
        await self.resolver.close(queued=queued)
        self._pulse.close()
        await self._admin.close()

    def _log_queries(self, config: Config) -> None:
        if config.log.queries:
            from resolver.ops.querylog import observe_query  # noqa: PLC0415 - for those who log queries

            self.resolver.engine.observe(observe_query)
        else:
            self.resolver.engine.observe(None)


def tune_process() -> None:
    """Fewer, cheaper garbage collections, as suits a server.

    Everything per query is freed by its reference count; the collector is for the rare cycles, and a full pass over a
    large cache would stop the loop for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)
