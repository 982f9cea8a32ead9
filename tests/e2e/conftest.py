"""One lab per module with the real CoreDNS as the cluster DNS; the resolvers in it are the tests' own."""

from collections.abc import Iterator

import pytest

from tests.lab.resolver import Resolver, configuration
from tests.lab.scene import Scene, scene
from tests.lab.servers import CoreDNS
from tests.lab.topology import CLUSTER_DNS, WORLD_DNS
from tests.servers import coredns


@pytest.fixture(scope="session")
def _coredns_is_built() -> None:
    """Building it takes minutes the first time: no lab stands around waiting for it."""
    coredns()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, _coredns_is_built: None) -> Iterator[Scene[CoreDNS]]:
    folder = tmp_path_factory.mktemp("lab")
    with scene(folder, lambda lab: CoreDNS(lab.cluster, CLUSTER_DNS, folder, coredns(), WORLD_DNS)) as servers:
        yield servers


@pytest.fixture(scope="module")
def resolver(cluster: Scene[CoreDNS]) -> Iterator[Resolver]:
    """With the contract's defaults, for tests that change nothing."""
    with cluster.resolver(configuration()) as running:
        yield running
