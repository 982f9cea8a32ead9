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

pytestmark = [pytest.mark.e2e, pytest.mark.serial, pytest.mark.needs("netns", "nft", "unbound", "nsd", "go", "gcc")]

DARK = "192.0.2.99"
TRIES = 3
"""A server that gets no turn for half a second counts as down, and rightly; names that hold up others do each time."""
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
    tries = []
    for number in range(TRIES):
        (folder := tmp_path / str(number)).mkdir()
        tries.append(trouble(servers, folder, config, known, dark))
        if not tries[-1]:
            return
    raise AssertionError(tries)


def trouble(servers: Scene[CoreDNS], folder: Path, config: Configuration, known: Asked, dark: Asked) -> list[str]:
    """What went wrong in one try."""
    lab = servers.lab
    for each in ("known", "dark"):
        (folder / each).mkdir()
    with servers.resolver(config, measured=False) as resolver:
        with (
            steady(folder / "known", [lab.pod], LOCAL, [known], per_second=200) as good,
            steady(folder / "dark", [lab.other_pod], LOCAL, [dark], per_second=20) as bad,
        ):
            good.go_on(400)
            bad.go_on(40)
        found, failing = good.all(), bad.all()
        down = resolver.events("upstream down")
    assert min(found.asked, 10 * failing.asked) >= 400
    said = []
    if found.failed:
        said.append(f"known names: {found}")
    if failing.failed:
        said.append(f"not SERVFAIL each, and in time: {failing}")
    if down:
        said.append(f"upstream down: {down}")
    return said
