"""One cluster for all tests of this folder; each module installs the chart as it needs it and leaves nothing behind."""

from collections.abc import Iterator

import pytest

from tests import servers
from tests.lab.cluster import Cluster, cluster
from tests.lab.clusterdns import cluster_dns
from tests.needs import require


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Nodes, no release; names of the cluster are answered at the usual address."""
    require("go", "netns", "crun", "nft")
    servers.coredns()  # built before anything waits for it
    with cluster(tmp_path_factory.mktemp("cluster")) as made, cluster_dns(made):
        yield made


@pytest.fixture(autouse=True)
def _imagined_pods(kube: Cluster) -> Iterator[None]:
    """Pods run for real, or are held back, only as long as a test says so."""
    yield
    kube.kubelet.holds = lambda pod: False
