"""The running webhook: its parts wired together, started and stopped in order.

Listening comes first, so that probes get an answer at once; certificate and facts follow, and /readyz says when they
are there. At the end it is the other way round: not ready, then answering and closing connections for `listen.drain`,
then the listeners close.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Coroutine
from datetime import timedelta
from typing import Self

from resolver.events import event
from webhook.cluster import Cluster, is_reachable
from webhook.discovery import Discovery
from webhook.files import Files
from webhook.keeper import Keeper, Names
from webhook.lease import Candidate
from webhook.metrics import Metrics
from webhook.rotation import Timings
from webhook.server import Server
from webhook.serving import Serving
from webhook.state import State
from webhook.values import Config, TlsMode

_LOG = logging.getLogger("webhook.service")


class Service:
    """One webhook. `ports` are those that it listens on, once it has started: admission, admin."""

    def __init__(self, config: Config, cluster: Cluster | None) -> None:
        self._config = config
        self._cluster = cluster
        excluded = frozenset({*config.cluster.excluded_namespaces, config.cluster.own_namespace()})
        self.state = State(config.dns, excluded)
        self.metrics = Metrics()
        self._serving = Serving()
        self._server = Server(self.state, self._serving, self.metrics)
        self._files: Files | None = None
        self._keeper: Keeper | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.ports = (0, 0)
        self.failed = asyncio.Event()
        """Set when a part failed that never should."""

    @classmethod
    async def connect(cls, config: Config) -> Self:
        """With an API server where there is one; raises ClusterError where one is needed and cannot be known."""
        needed = config.tls.mode is TlsMode.SELF or not config.dns.cluster_dns
        return cls(config, await Cluster.connect() if needed or is_reachable() else None)

    async def start(self) -> None:
        """Listen, and begin to keep certificate and facts up to date; raises OSError for a port that is taken."""
        listen, admin = self._config.listen, self._config.admin
        admin_port = await self._server.start_admin(admin.address, admin.port)
        self.ports = (await self._server.start_admission(listen.address, listen.port), admin_port)
        if self._config.tls.mode is TlsMode.FILES:
            self._files = Files(self._config.tls, self._serving, self.state, self.metrics)
            self._files.start()
        if self._cluster is not None:
            self._keeper = self._make_keeper(self._cluster)
            self._spawn(self._keeper.run(), "keeper")
            if not self._config.dns.cluster_dns:
                self._spawn(Discovery(self.state, self._config.cluster, self._cluster).run(), "discovery")
        event(_LOG, logging.INFO, "the webhook listens", port=self.ports[0], admin=self.ports[1])

    async def drain(self) -> None:
        """Say that this replica goes, and answer for as long as somebody may not have heard."""
        self.state.draining = True
        if self._keeper is not None and self._config.tls.mode is TlsMode.SELF:
            self._tasks["keeper"].cancel()  # it would take back the Lease that is given up now
            await asyncio.gather(self._tasks["keeper"], return_exceptions=True)
            await self._keeper.release()
        event(_LOG, logging.INFO, "the webhook drains", seconds=self._config.listen.drain_seconds)
        await asyncio.sleep(self._config.listen.drain_seconds)

    async def stop(self) -> None:
        """Close everything."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._files is not None:
            self._files.close()
        await self._server.stop()
        if self._cluster is not None:
            await self._cluster.close()
        event(_LOG, logging.INFO, "the webhook ended")

    def _make_keeper(self, cluster: Cluster) -> Keeper:
        names = self._config.cluster
        namespace = names.own_namespace()
        host = f"{names.service}.{namespace}.svc"
        own = (host, f"{host}.{self._config.dns.cluster_domain}", *self._config.tls.names)
        return Keeper(
            Names(
                namespace=namespace,
                secret=f"{names.service}-ca",
                lease=names.service,
                registration=names.webhook_configuration,
                leaf=own if self._config.tls.mode is TlsMode.SELF else (),
            ),
            Timings(timedelta(seconds=self._config.tls.ca_lifetime_seconds)),
            cluster,
            Candidate(f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"),
            self._serving,
            self.state,
            self.metrics,
        )

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks[name] = task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A part that ends by itself is a mistake of ours: the process ends, and is started again with a fresh mind."""
        if not task.cancelled() and (error := task.exception()):
            _LOG.critical("a part of the webhook failed", exc_info=error, extra={"fields": {"part": task.get_name()}})
            self.failed.set()
