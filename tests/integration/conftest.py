"""One lab per module with Debian's servers, one resolver in it, and a pod that knows no other nameserver."""

from collections.abc import Iterator

import pytest

from tests.lab.resolver import PATIENT, Resolver, configuration
from tests.lab.scene import Scene, scene
from tests.lab.servers import Unbound, cluster_unbound
from tests.lab.topology import CLUSTER_DNS, LOCAL


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene[Unbound]]:
    folder = tmp_path_factory.mktemp("lab")
    with scene(folder, lambda lab: cluster_unbound(lab.cluster, CLUSTER_DNS, folder)) as servers:
        servers.lab.pod.write_resolv_conf(f"nameserver {LOCAL}\nsearch svc.cluster.local\noptions ndots:2 timeout:10\n")
        yield servers


@pytest.fixture(scope="module")
def resolver(debian: Scene[Unbound]) -> Iterator[Resolver]:
    with debian.resolver(configuration(cluster=PATIENT, world=PATIENT)) as running:
        yield running
