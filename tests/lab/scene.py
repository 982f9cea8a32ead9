"""The lab with its servers running: what most tests start from.

One scene serves all tests of a module; resolvers come and go in it, one per test where a test changes something.
Names below `fresh.svc.cluster.local` and `fresh.example.com` all exist, `new_name` makes one that nobody asked for
before.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from tests.lab.resolver import Configuration, Resolver
from tests.lab.servers import Nsd, Server, Unbound, recursive_unbound
from tests.lab.topology import OTHER_WORLD_DNS, WORLD_AUTHORITY, WORLD_DNS, Lab, lab

ClusterServer = TypeVar("ClusterServer", bound=Server)

_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scene(Generic[ClusterServer]):
    """`cluster` at the cluster DNS's address, `world` and `other_world` as two providers' resolvers in front of one
    authority.
    """

    lab: Lab
    folder: Path
    cluster: ClusterServer
    world: Unbound
    other_world: Unbound
    authority: Nsd
    _folders: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @contextlib.contextmanager
    def resolver(
        self, config: Configuration, *, measured: bool = True, environment: Mapping[str, str] | None = None
    ) -> Iterator[Resolver]:
        """A running resolver, killed at the end when the test did not stop it."""
        folder = self.folder / f"resolver-{next(self._folders)}"
        folder.mkdir()
        resolver = Resolver(self.lab.node, folder, config, measured=measured, environment=environment)
        resolver.start()
        try:
            yield resolver
        finally:
            resolver.process.kill()


def new_name(zone: str) -> str:
    """A name of that zone ("svc.cluster.local" or "example.com") that exists and was not asked for before, with its
    last dot.
    """
    return f"name-{next(_names)}.fresh.{zone}."


@contextlib.contextmanager
def scene(
    folder: Path, make_cluster: Callable[[Lab], ClusterServer], *, assigned: bool = True
) -> Iterator[Scene[ClusterServer]]:
    """Build the lab and start its servers; `make_cluster` makes the one at the cluster DNS's address. `assigned` as for
    `lab`.
    """
    with lab(assigned=assigned) as places, contextlib.ExitStack() as ending:
        servers = Scene(
            places,
            folder,
            cluster=make_cluster(places),
            world=recursive_unbound(places.world, WORLD_DNS, folder, WORLD_AUTHORITY),
            other_world=recursive_unbound(places.world, OTHER_WORLD_DNS, folder, WORLD_AUTHORITY),
            authority=Nsd(places.world, WORLD_AUTHORITY, folder),
        )
        for server in (servers.authority, servers.world, servers.other_world, servers.cluster):
            ending.callback(server.kill)
            server.start()
        yield servers
