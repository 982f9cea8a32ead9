"""What the metrics are made from: the parts that count, and what they are asked at each scrape."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resolver.clusterstate import ClusterState
from resolver.engine import Engine
from resolver.nodestate import NodeState
from resolver.ops.pulse import Pulse
from resolver.ops.recent import Change
from resolver.upstream.server import Server

if TYPE_CHECKING:
    from resolver.survey.survey import Survey


class ReloadState(Protocol):
    """How taking over changed configuration files has gone."""

    @property
    def successful(self) -> bool:
        """Whether the last one was taken over."""

    @property
    def succeeded_at(self) -> float:
        """When that last happened, in seconds since the epoch."""

    @property
    def results(self) -> Mapping[str, int]:
        """How many, by result: success, failure."""


class ListenerState(NamedTuple):
    """What all listeners together have seen."""

    tcp_connections: int = 0
    tcp_accepted_total: int = 0
    tcp_refused_total: Mapping[str, int] = {}
    """By reason, a word or a few with underscores."""
    tcp_ended_total: Mapping[str, int] = {}
    """Connections that we ended, by reason."""
    udp_lost_total: Mapping[str, int] = {}
    """Replies (or reads) that the kernel refused, by the name of its error."""
    udp_dropped_total: Mapping[str, int] = {}
    """Queries that were not answered for want of time, by where they waited."""
    panics_total: int = 0
    """Packets that made the engine raise."""


class Sources(NamedTuple):
    """Where the numbers come from. The callables are asked at each scrape."""

    engine: Engine
    servers: Iterable[Server]
    pulse: Pulse
    reload: ReloadState
    port: Callable[[], int]
    """Of `listen.port`: part of the label `server`."""
    listeners: Callable[[], ListenerState] = ListenerState
    node: Callable[[], NodeState] = NodeState
    """What the process with the privileges last said about the node."""
    replaced: Callable[[], Mapping[str, int]] = dict
    """Workers that the supervisor had to replace, by reason."""
    cluster: Callable[[], ClusterState] = ClusterState
    """What the informer has found out."""
    log_dropped: Callable[[], int] = int
    changes: Callable[[], list[Change]] = list
    """The latest changes of state, the newest first."""
    survey: "Survey | None" = None
    """Who asks what, where somebody wants to know."""
