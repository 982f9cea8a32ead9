"""What an operator changes while the resolver runs: its configuration, and the resolv.conf that names its upstreams."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.dig import dig
from tests.lab.resolver import PATIENT, Resolver, configuration
from tests.lab.scene import Scene, new_name
from tests.lab.servers import CoreDNS, Server
from tests.lab.topology import LOCAL, OTHER_WORLD_DNS, WORLD_DNS
from tests.lab.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd", "go")]

OUTSIDE = "www.example.com."


def asks(cluster: Scene[CoreDNS], server: Server) -> bool:
    """Whether a name that nobody asked for before goes to this server; it must be answered by whichever it goes to."""
    name = new_name("example.com")
    assert dig(cluster.lab.pod, name).status == "NOERROR"
    return bool(server.asked_for(name))


def test_a_rewritten_resolv_conf_is_followed_and_the_own_address_in_it_left_out(
    cluster: Scene[CoreDNS], tmp_path: Path
) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver {LOCAL}\nnameserver {WORLD_DNS}\n")
    with cluster.resolver(configuration(world={"upstreams": [str(resolv_conf)], **PATIENT})):
        assert asks(cluster, cluster.world)
        resolv_conf.write_text(f"nameserver {LOCAL}\nnameserver {OTHER_WORLD_DNS}\n")
        wait_until(lambda: asks(cluster, cluster.other_world), "a query at the new server")
        assert not asks(cluster, cluster.world)


def hang_up(resolver: Resolver) -> None:
    resolver.hang_up()


def wait_for_the_watch(resolver: Resolver) -> None:
    assert resolver.process.pid


@pytest.mark.parametrize("announce", [hang_up, wait_for_the_watch])
def test_a_changed_configuration_is_taken_over_with_the_cache_kept(
    cluster: Scene[CoreDNS], announce: Callable[[Resolver], None]
) -> None:
    with cluster.resolver(configuration(world=PATIENT)) as resolver:
        assert dig(cluster.lab.pod, OUTSIDE).status == "NOERROR"
        known_before = len(cluster.world.asked_for(OUTSIDE)), len(cluster.other_world.asked_for(OUTSIDE))
        resolver.configure(configuration(world={"upstreams": [OTHER_WORLD_DNS], **PATIENT}))
        announce(resolver)
        wait_until(lambda: asks(cluster, cluster.other_world), "a query at the new server")
        assert dig(cluster.lab.pod, OUTSIDE).data == {"203.0.113.81"}
        assert (len(cluster.world.asked_for(OUTSIDE)), len(cluster.other_world.asked_for(OUTSIDE))) == known_before


def test_an_invalid_configuration_changes_nothing_and_a_metric_says_so(cluster: Scene[CoreDNS]) -> None:
    with cluster.resolver(configuration(world=PATIENT)) as resolver:
        assert resolver.metric("nodelocaldns_config_last_reload_successful") == 1
        resolver.configure("zones: [{names: [.], upstreams: [192.0.2.63], maxTTL: soon}]\n")
        resolver.hang_up()
        wait_until(lambda: resolver.metric("nodelocaldns_config_last_reload_successful") == 0, "the metric")
        assert asks(cluster, cluster.world)
        wait_until(lambda: "zones[0].maxTTL" in resolver.process.output(), "the key in the log")
        resolver.configure(configuration(world={"upstreams": [OTHER_WORLD_DNS], **PATIENT}))
        resolver.hang_up()
        wait_until(lambda: resolver.metric("nodelocaldns_config_last_reload_successful") == 1, "the metric")
        assert asks(cluster, cluster.other_world)
