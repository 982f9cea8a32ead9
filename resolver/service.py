"""A resolver with the operations around it: log, admin endpoints, the pulse. What a worker runs, and the demo.

Only this module and `core` know how the parts fit together; each part is written and tested without the others.
"""

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resolver.clusterstate import ClusterState
from resolver.config import Config
from resolver.core import Resolver, Sockets
from resolver.nodestate import NodeState
from resolver.ops.access import Access
from resolver.ops.admin import AdminPlace
from resolver.ops.cachepage import CachePage
from resolver.ops.health import ANSWER_SECONDS, Health, Readiness, ask_itself
from resolver.ops.logs import Logs
from resolver.ops.metrics import MetricsPage
from resolver.ops.pulse import Pulse
from resolver.ops.recent import Change, latest
from resolver.ops.reload import ReloadState
from resolver.ops.sources import ListenerState, Sources
from resolver.ops.status import StatusPage, page_routes

if TYPE_CHECKING:
    from resolver.ops.requests import Routes
    from resolver.ops.surveying import Surveying
    from resolver.ops.together import Siblings
    from resolver.survey.survey import Survey


class Service:
    """One resolver process; `siblings` are the others that answer at the same places, if there are any."""

    def __init__(self, config: Config, logs: Logs, siblings: "Siblings | None" = None) -> None:
        self.logs = logs
        self.resolver = Resolver(config)
        self.reload = ReloadState()
        self.node = NodeState()
        """What the supervisor knows of the node."""
        self.cluster = ClusterState()
        """What is known of the cluster."""
        self.replaced: dict[str, int] = {}
        """Workers that it had to replace, by reason."""
        self.changes: list[Change] = []
        """What it has logged last."""
        engine = self.resolver.engine
        self._pulse = Pulse(engine)
        self._readiness = Readiness(engine)
        sources = self._sources(siblings)
        health = Health(
            lambda: list(self.resolver.listeners), self._pulse, node=lambda: self.node, shared=siblings is not None
        )
        self._surveying = None if self.resolver.survey is None else self._survey_with(self.resolver.survey)
        surveys = () if self._surveying is None else (self._surveying,)
        pages = (
            MetricsPage(sources),
            health,
            self._readiness,
            CachePage(engine),
            StatusPage(sources, self._readiness),
            *surveys,
        )
        self.routes: Routes = {place: handler for page in pages for place, handler in page.routes.items()}
        """What this process alone says."""
        self._access = Access()
        self._serves_admin = False
        routes = self.routes if siblings is None else self._together(siblings)
        self._admin = AdminPlace({**routes, **page_routes()}, self._access)
        self._log_queries(config)

    def _sources(self, siblings: "Siblings | None") -> Sources:
        """Where metrics and status page find what they tell; of the cluster, one of the siblings does."""
        return Sources(
            self.resolver.engine,
            self.resolver.zones.servers,
            self._pulse,
            self.reload,
            port=lambda: self.resolver.config.listen.port,
            listeners=lambda: ListenerState(*self.resolver.census.seen()),
            log_dropped=lambda: self.logs.dropped_total,
            node=lambda: self.node,
            replaced=lambda: self.replaced,
            changes=lambda: latest(self.changes, self.logs.recent.changes()),
            survey=self.resolver.survey,
            cluster=lambda: self.cluster if siblings is None or siblings.index == 0 else ClusterState(),
        )

    async def start(self, sockets: Sockets, admin: socket.socket | None) -> None:
        """Begin to answer on these sockets. `admin`: of the admin endpoints; None: another process serves them."""
        await self.resolver.start(sockets)
        self._pulse.start()
        if self._surveying is not None:
            self._surveying.start(self.resolver.config.admin.owners_file)
        self._readiness.starting = False  # before anybody can ask
        if admin is not None:
            await self.serve(admin)

    async def serve(self, admin: socket.socket) -> None:
        """Begin to answer at the admin endpoints."""
        self._serves_admin = True
        self._access.follow(self.resolver.config.admin.token_file)
        await self._admin.start(admin)

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
        if self._serves_admin:
            self._access.follow(config.admin.token_file)
        return None if admin is None else self._admin.move(admin)

    def informed(self, told: Mapping[str, Any]) -> None:
        """Take over what the informer has found out about the cluster."""
        self.cluster.learn(told)
        survey = self.resolver.survey
        if told["is"] == "owners" and survey is not None:
            from resolver.survey.survey import Owner  # noqa: PLC0415 - it is there, where there is a survey

            survey.owners = {address: Owner(*whose) for address, whose in told["owners"].items()}
        if told["is"] == "endpoints":
            self.resolver.zones.learn(told)
        elif told["is"] == "changed":
            self.resolver.changes.learn(told["names"], all_of_them=bool(told["all"]))

    def drain(self) -> None:
        """Say on /ready that the end is near."""
        self._readiness.draining = True

    async def close(self, *, queued: bool = True) -> None:
        """Answer what was read (and, with `queued`, what waits in the kernel), then stop.

        Without `queued` others read the same sockets, those of the admin endpoints, too: whoever asks there goes on to
        hear that all is well.
        """
        if queued:
            self.drain()
            await self.resolver.close()
        else:
            await asyncio.gather(self._admin.leave(), self.resolver.close(queued=False))
        self._pulse.close()
        if self._surveying is not None:
            self._surveying.close()
        await self._admin.close()
        self._access.close()

    def _together(self, siblings: "Siblings") -> "Routes":
        from resolver.ops.together import together  # noqa: PLC0415 - for several workers

        return together(self.routes, siblings)

    def _survey_with(self, survey: "Survey") -> "Surveying":
        from resolver.ops.surveying import Surveying  # noqa: PLC0415 - for those who want to know

        return Surveying(survey, self.resolver.zones.servers, lambda: self.resolver.engine.routes)

    def _log_queries(self, config: Config) -> None:
        if config.log.queries:
            from resolver.ops.querylog import observe_query  # noqa: PLC0415 - for those who log queries

            self.resolver.engine.observe(observe_query)
        else:
            self.resolver.engine.observe(None)
