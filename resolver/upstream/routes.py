"""Which zone a name belongs to, and in which order its servers are asked. Pure: servers are values with a Health."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from resolver.config import Policy, Zone
from resolver.message import names
from resolver.upstream.budget import Budget
from resolver.upstream.chance import random
from resolver.upstream.haste import Haste
from resolver.upstream.health import Health

_CURIOSITY: Final = 1 / 16
"""Of the questions go where chance has it, so that no server is judged by what it was like long ago."""


class Rated(Protocol):
    """Whatever can be chosen by its health."""

    @property
    def load(self) -> float:
        """What one more question will probably take there, in seconds."""

    @property
    def health(self) -> Health: ...


S = TypeVar("S", bound=Rated)
_ROOT = b"\0"


class Route(Generic[S]):
    """One zone of the configuration with its servers, which may change while it is in use (resolv.conf)."""

    __slots__ = ("_chance", "_turn", "alike", "budget", "default", "haste", "label", "names", "servers", "zone")

    def __init__(
        self,
        zone: Zone,
        servers: Sequence[S],
        budget: Budget[Any] | None = None,
        alike: int = 0,
        chance: Callable[[], float] = random,
    ) -> None:
        """The first `alike` servers are endpoints of one Service, any of which will do; `chance` is from 0 to 1."""
        self.zone = zone
        self.alike = alike
        self.haste = Haste()
        """Of the `alike`: how many questions may be asked again early."""
        self._chance = chance
        self.budget = budget
        """How much may be sent to them; None: as much as there is."""
        self.servers: tuple[S, ...] = tuple(servers)
        self.names = tuple(names.to_wire(name) for name in zone.names)
        self.label = names.to_text(self.names[0])
        """The zone's first name with its last dot: the value of the metrics' label `zone`."""
        self.default = _ROOT in self.names
        """Whether it takes all that no other zone does."""
        self._turn = 0

    def order(self, shuffle: Callable[[list[S]], None]) -> Sequence[S]:
        """The servers in the order in which one question should try them: by policy, those that are down last."""
        servers = self.servers
        if len(servers) <= 1:  # none: an empty resolv.conf
            return servers
        ordered = list(servers)
        if self.alike:
            ordered = self._balanced()
        elif self.zone.policy is Policy.RANDOM:
            shuffle(ordered)
        elif self.zone.policy is Policy.ROUND_ROBIN:
            self._turn = (self._turn + 1) % len(servers)
            ordered = ordered[self._turn :] + ordered[: self._turn]
        ordered.sort(key=_is_down)  # stable: the policy's order stays within each half
        return ordered

    def recoveries(self) -> int:
        """How often any of its servers has come back: failures from before that are forgotten."""
        return sum(server.health.recoveries for server in self.servers)

    def has_come_back(self, *, since: float) -> bool:
        """Whether any of its servers has (monotonic seconds): a failure that began before says nothing of it."""
        return any(not server.health.down and server.health.changed_at > since for server in self.servers)

    def _balanced(self) -> list[S]:
        """Endpoints first, the better of two that chance has picked at the head; what is not an endpoint stays last.

        Two choices keep the longest queue short (Mitzenmacher, 2001), where the best of all would have every node run
        to the same server.
        """
        servers, alike, chance = self.servers, self.alike, self._chance
        first = int(chance() * alike)
        if alike > 1:
            second = (first + 1 + int(chance() * (alike - 1))) % alike
            if chance() >= _CURIOSITY and servers[second].load < servers[first].load:
                first = second
        return [*servers[first:alike], *servers[:first], *servers[alike:]]


def _is_down(server: Rated) -> bool:
    return server.health.down


class Routes(Generic[S]):
    """All zones; `find` costs one dict lookup per label of the name, however many zones there are."""

    def __init__(self, routes: Sequence[Route[S]], searches: Sequence[bytes] = ()) -> None:
        self.all = tuple(routes)
        self.searches = tuple(searches)
        """What search lists of pods end with: the node's own search domains (wire form, lower case)."""
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
        return by_name.get(_ROOT)
