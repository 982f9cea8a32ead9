"""Every kind of client in an opted-in pod finds every name, with CoreDNS as the cluster's server.

The pod's resolv.conf is the webhook's: the local resolver, then the cluster DNS. musl asks both at once and takes the
first answer; all others ask the cluster DNS only when the resolver fails them, which the last test here rules out.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.clients import NONE, Client, Found, cares, dig_client, glibc, musl, netgo, ready_share
from tests.lab.counting import Lookup, build, look_up
from tests.lab.expected import DATABASE_PORTS, EXTERNAL_NAME, OUTSIDE, SERVICES, SHORT_SERVICES
from tests.lab.netns import Namespace
from tests.lab.resolver import Resolver
from tests.lab.scene import Scene
from tests.lab.servers import CoreDNS
from tests.lab.topology import CLUSTER_DNS, LOCAL, NODE_IN_CLUSTER, NODE_IN_WORLD, OTHER_POD, POD

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd", "go", "gcc", "musl-gcc", "node"),
    pytest.mark.usefixtures("resolver"),
]

MAKERS: dict[str, Callable[[Path], Client]] = {
    "dig": lambda _: dig_client(),
    "dig over TCP": lambda _: dig_client("+tcp"),
    "glibc": glibc,
    "musl": musl,
    "Go": lambda _: netgo(),
    "c-ares": lambda _: cares(),
}
USUAL_SEARCH = "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
WHOLE_NAMES = {**SERVICES, **OUTSIDE, **dict([EXTERNAL_NAME])}


@pytest.fixture(scope="module", params=MAKERS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return MAKERS[request.param](tmp_path_factory.mktemp("client"))


@pytest.mark.parametrize("name", WHOLE_NAMES)
def test_client_finds_exactly_the_right_addresses(cluster: Scene[CoreDNS], client: Client, name: str) -> None:
    assert client.lookup(cluster.lab.pod, name) == WHOLE_NAMES[name]


@pytest.mark.parametrize("name", SHORT_SERVICES)
def test_short_service_names_are_completed_by_clients_that_search(
    cluster: Scene[CoreDNS], client: Client, name: str
) -> None:
    nothing = Found(frozenset([NONE]), frozenset([NONE]))
    assert client.lookup(cluster.lab.pod, name) == (SHORT_SERVICES[name] if client.searches else nothing)


@pytest.mark.parametrize("make", [dig_client, netgo, cares])
def test_client_finds_the_ports_of_a_headless_service(cluster: Scene[CoreDNS], make: Callable[[], Client]) -> None:
    client, (name, expected) = make(), DATABASE_PORTS
    assert client.services(cluster.lab.pod, name) == expected
    assert client.services(cluster.lab.pod, "_nothing._tcp.db.shop.svc.cluster.local") == {NONE}


def test_an_opted_in_pod_asks_once_for_what_a_usual_one_asks_four_times(
    cluster: Scene[CoreDNS], tmp_path: Path
) -> None:
    """The questions of both families; musl asks both nameservers of an opted-in pod at once."""
    pod = cluster.lab.pod
    opted_in = pod.resolv_conf()
    programs = build(tmp_path)
    counts = {}
    for library, program in programs.items():
        pod.write_resolv_conf(f"nameserver {LOCAL}\n{USUAL_SEARCH}")
        usual = fewest(pod, program)
        pod.write_resolv_conf(opted_in)
        lean = fewest(pod, program)
        assert usual.found == lean.found
        counts[library] = (usual.sent, lean.sent)
    assert counts == {"glibc": (8, 2), "musl": (8, 4)}


def fewest(pod: Namespace, program: str) -> Lookup:
    """Of some lookups the one with the fewest questions: whoever waits for a second in vain asks again."""
    return min((look_up(pod, program, "www.example.com") for _ in range(3)), key=lambda lookup: lookup.sent)


def test_client_needs_no_second_nameserver(cluster: Scene[CoreDNS], client: Client) -> None:
    pod = cluster.lab.other_pod  # what musl has sent to both nameservers of the other one may be logged late
    before = len(cluster.cluster.queries())
    opted_in = pod.resolv_conf()
    pod.write_resolv_conf(f"nameserver {LOCAL}\noptions timeout:5 attempts:1\n")
    try:
        found = client.lookup(pod, "web.shop.svc.cluster.local"), client.lookup(pod, "www.example.com")
    finally:
        pod.write_resolv_conf(opted_in)
    assert found == (SERVICES["web.shop.svc.cluster.local"], OUTSIDE["www.example.com"])
    assert all(query.client != OTHER_POD for query in cluster.cluster.queries()[before:])


def test_cluster_names_reached_coredns_over_tcp_only_and_outside_names_the_second_server_only(
    cluster: Scene[CoreDNS], tmp_path: Path
) -> None:
    pod = cluster.lab.other_pod
    seen_by_coredns, seen_by_world = len(cluster.cluster.queries()), len(cluster.world.queries())
    opted_in = pod.resolv_conf()
    pod.write_resolv_conf(
        opted_in.replace("timeout:1", "timeout:5")
    )  # nobody asks the second server for want of a turn
    try:
        for client in (glibc(tmp_path), netgo(), dig_client(), dig_client("+tcp"), cares()):
            for name in (
                "web.shop.svc.cluster.local",
                "db.shop.svc.cluster.local",
                "www.example.com",
                "zero.example.com",
            ):
                client.lookup(pod, name)
    finally:
        pod.write_resolv_conf(opted_in)
    # What the other pod has asked before comes through CoreDNS, and may be logged late; "." is a probe.
    at_coredns = [query for query in cluster.cluster.queries()[seen_by_coredns:] if query.client != POD]
    at_world = [query for query in cluster.world.queries()[seen_by_world:] if query.client != CLUSTER_DNS]
    assert {(query.client, query.transport) for query in at_coredns} == {(NODE_IN_CLUSTER, "tcp")}
    assert all(query.name.endswith(".cluster.local.") for query in at_coredns if query.name != ".")
    assert {query.client for query in at_world} == {NODE_IN_WORLD}
    assert all(query.name.endswith(".example.com.") for query in at_world if query.name != ".")


@pytest.mark.parametrize("name", ["api.shop.svc.cluster.local", "missing.shop.svc.cluster.local", "four.example.com"])
def test_what_a_client_asks_again_is_answered_from_ready_replies(
    cluster: Scene[CoreDNS], resolver: Resolver, client: Client, name: str
) -> None:
    replies, ready = ready_share(resolver, client, cluster.lab.pod, name)
    assert replies == ready >= 2
