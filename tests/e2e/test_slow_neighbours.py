"""What CoreDNS cannot answer soon does not keep what it knows from being answered.

CoreDNS takes the questions of one TCP connection one after the other. Names that are not the cluster's it forwards,
here to servers that are gone: each such question stands on its connection for seconds.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.netns import run
from tests.lab.process import first_in_line
from tests.lab.resolver import Configuration, configuration
from tests.lab.scene import Scene, scene
from tests.lab.servers import CoreDNS
from tests.lab.steady import DIGITS, Asked, steady
from tests.lab.topology import CLUSTER_DNS, LOCAL
from tests.servers import coredns

pytestmark = [pytest.mark.e2e, pytest.mark.needs("netns", "nft", "unbound", "nsd", "go", "gcc")]

DARK = "192.0.2.99"
IN_THE_DARK = f"table ip dark {{ chain forwarded {{ type filter hook forward priority 0; ip daddr {DARK} drop; }}; }}"
SERVICES = Asked(f"{DIGITS.decode()}.fresh.svc.cluster.local", "A", bytes((10, 96, 99, 99)))
REVERSE = Asked(f"{DIGITS.decode()}.9.in-addr.arpa", "PTR", rcode=2)
DOMAINS = Asked(f"{DIGITS.decode()}.test", "A", rcode=2)
ONE_ZONE = configuration(cluster={"names": ["unused.test"]}, world={"upstreams": [CLUSTER_DNS]})


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene[CoreDNS]]:
    folder = tmp_path_factory.mktemp("slow")
    with first_in_line(), scene(folder, lambda lab: CoreDNS(lab.cluster, CLUSTER_DNS, folder, coredns(), DARK)) as made:
        run("ip", "netns", "exec", made.lab.node.name, "nft", "-f", "-", standard_input=IN_THE_DARK)
        yield made


@pytest.mark.parametrize(
    ("config", "known", "dark"),
    [
        pytest.param(configuration(), SERVICES, REVERSE, id="reverse names beside services"),
        pytest.param(ONE_ZONE, SERVICES, DOMAINS, id="many domains in the zone of one that is well"),
    ],
)
def test_names_whose_servers_are_gone_hold_up_no_others(
    servers: Scene[CoreDNS], tmp_path: Path, config: Configuration, known: Asked, dark: Asked
) -> None:
    lab = servers.lab
    with servers.resolver(config, measured=False) as resolver:
        for folder in ("known", "dark"):
            (tmp_path / folder).mkdir()
        with (
            steady(tmp_path / "known", [lab.pod], LOCAL, [known], per_second=200) as good,
            steady(tmp_path / "dark", [lab.other_pod], LOCAL, [dark], per_second=20) as bad,
        ):
            good.go_on(400)
            bad.go_on(40)
        found = good.all()
        assert (found.wrong, found.unanswered, found.refused) == (0, 0, 0)
        assert found.right >= 400
        assert bad.all().right == bad.all().asked, "SERVFAIL each, and in time"
        assert not resolver.events("upstream down")
