"""Which zone a name belongs to, and in which order its servers are asked. Pure: servers are values with a Health."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from resolver.config import Policy, Zone
from resolver.message import names
from resolver.upstream.health import Health


class Rated(Protocol):
    """Whatever can be chosen by its health."""

    @property
    def health(self) -> Health: ...


S = TypeVar("S", bound=Rated)


class Route(Generic[S]):
    """One zone of the configuration with its servers, which may change while it is in use (resolv.conf)."""

    __slots__ = ("_turn", "label", "names", "servers", "zone")

    def __init__(self, zone: Zone, servers: Sequence[S]) -> None:
        self.zone = zone
        self.servers: tuple[S, ...] = tuple(servers)
        self.names = tuple(names.to_wire(name) for name in zone.names)
        self.label = names.to_text(self.names[0])
        """The zone's first name with its last dot: the value of the metrics' label `zone`."""
        self._turn = 0

    def order(self, shuffle: Callable[[list[S]], None]) -> Sequence[S]:
        """The servers in the order in which one question should try them: by policy, those that are down last."""
        servers = self.servers
        if len(servers) <= 1:  # none: an empty resolv.conf
            return servers
        ordered = list(servers)
        if self.zone.policy is Policy.RANDOM:
            shuffle(ordered)
        elif self.zone.policy is Policy.ROUND_ROBIN:
            self._turn = (self._turn + 1) % len(servers)
            ordered = ordered[self._turn :] + ordered[: self._turn]
        ordered.sort(key=_is_down)  # stable: the policy's order stays within each half
        return ordered


def _is_down(server: Rated) -> bool:
    return server.health.down


class Routes(Generic[S]):
    """All zones; `find` costs one dict lookup per label of the name, however many zones there are."""

    def __init__(self, routes: Sequence[Route[S]]) -> None:
        self.all = tuple(routes)
        self._by_name = {name: route for route in routes for name in route.names}

    def find(self, name: bytes) -> Route[S] | None:
        """The route of the longest suffix of `name` (wire form, lower case); None: no zone and no default route."""
        by_name = self._by_name
        offset = 0
        while length := name[offset]:
            route = by_name.get(name[offset:])
            if route is not None:
                return route
            offset += length + 1
        return by_name.get(b"\0")
