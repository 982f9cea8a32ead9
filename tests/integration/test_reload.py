"""An operator changes the configuration of a resolver that is being asked all the time: nobody notices.

The file is changed as a ConfigMap is: a directory beside it, and a symlink swapped to that.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.ask import ask
from tests.lab.crowd import Load, load
from tests.lab.dig import dig
from tests.lab.resolver import PATIENT, Configuration, Resolver, configuration
from tests.lab.scene import Scene, new_name
from tests.lab.servers import Unbound
from tests.lab.topology import LOCAL, LOCAL_V6, OTHER_WORLD_DNS
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd")

LATER = "169.254.20.11"
NAMES = ["web.shop.svc.cluster.local", "www.example.com", "zero.example.com"]
CLIENTS = 4


@pytest.fixture
def changing(debian: Scene[Unbound]) -> Iterator[Resolver]:
    with debian.resolver(on(LOCAL, LOCAL_V6)) as running:
        yield running


def on(*addresses: str, world: str | None = None) -> Configuration:
    settings = configuration(cluster=PATIENT, world={**PATIENT, **({"upstreams": [world]} if world else {})})
    return {**settings, "listen": {"addresses": list(addresses), "port": 53}}


def taken_over(resolver: Resolver) -> float:
    return resolver.metric("nodelocaldns_config_reloads_total", result="success")


def reload(resolver: Resolver, config: Configuration) -> None:
    """Return when the resolver says that it goes by this configuration."""
    before = taken_over(resolver)
    resolver.configure(config)
    resolver.hang_up()

    def done() -> bool:
        with contextlib.suppress(OSError):  # a page that is asked for while the admin endpoints move may be cut off
            return taken_over(resolver) > before
        return False

    wait_until(done, "the new configuration in force")


@contextlib.contextmanager
def asked_all_the_time(debian: Scene[Unbound]) -> Iterator[Load]:
    """Clients of the address that stays, asking for what is remembered and for what never is."""
    with load(debian.lab.pod, LOCAL, NAMES, CLIENTS) as seen:
        wait_until(lambda: seen.answered > 100, "the first answers")
        yield seen
        enough = seen.answered + 100
        wait_until(lambda: seen.answered > enough or seen.otherwise, "answers after the last change")


def test_no_query_is_lost_while_addresses_servers_and_settings_change(
    debian: Scene[Unbound], changing: Resolver
) -> None:
    with asked_all_the_time(debian) as seen:
        for config in (
            on(LOCAL),
            on(LOCAL, LOCAL_V6, world=OTHER_WORLD_DNS),
            {**on(LOCAL), "log": {"queries": True, "format": "text"}},
            {**on(LOCAL, LOCAL_V6), "cache": {"size": "1Mi"}},
            {**on(LOCAL, LOCAL_V6), "admin": {"address": "0.0.0.0", "port": 9253}},
        ):
            reload(changing, config)
    assert seen.otherwise == []
    assert "event=query" not in changing.process.output()
    assert " query client=" in changing.process.output()


def test_a_query_that_was_read_on_a_dropped_address_is_still_answered(
    debian: Scene[Unbound], changing: Resolver
) -> None:
    pod, name = debian.lab.pod, new_name("svc.cluster.local")
    assert ask(pod, LOCAL_V6, NAMES[0], patience_seconds=30.0) is not None
    debian.cluster.freeze()
    try:
        with load(pod, LOCAL_V6, [name], 1) as seen:
            wait_until(lambda: changing.metric("nodelocaldns_waiting_clients") == 1, "the question under way")
            reload(changing, on(LOCAL))
            debian.cluster.thaw()
            wait_until(lambda: seen.answered or seen.otherwise, "its answer")
    finally:
        debian.cluster.thaw()
    assert seen.answered or seen.otherwise[0].startswith("rcode"), seen
    wait_until(lambda: ask(pod, LOCAL_V6, NAMES[0], tcp=True) is None, "the end of the dropped address")


def test_an_address_that_is_assigned_later_is_answered_without_another_change(
    debian: Scene[Unbound], changing: Resolver
) -> None:
    failed = changing.metric("nodelocaldns_config_reloads_total", result="failure")
    changing.configure(on(LOCAL, LATER))
    changing.hang_up()
    wait_until(
        lambda: changing.metric("nodelocaldns_config_reloads_total", result="failure") == failed + 1, "the refusal"
    )
    assert f"{LATER}:53/udp: address not assigned on this machine" in changing.process.output()
    assert dig(debian.lab.pod, NAMES[0]).status == "NOERROR"
    debian.lab.node.ip("address", "add", f"{LATER}/32", "dev", "lo")
    try:
        wait_until(lambda: ask(debian.lab.node, LATER, NAMES[0]) is not None, "an answer from the new address")
        wait_until(lambda: changing.metric("nodelocaldns_config_last_reload_successful") == 1, "the metric")
    finally:
        debian.lab.node.ip("address", "delete", f"{LATER}/32", "dev", "lo")
    assert changing.metric("nodelocaldns_config_reloads_total", result="failure") == failed + 1


def test_what_a_dropped_address_has_counted_still_counts(debian: Scene[Unbound], changing: Resolver) -> None:
    for _ in range(3):
        assert dig(debian.lab.pod, NAMES[0], "A", "+tcp", server=LOCAL_V6).status == "NOERROR"
    counters = ("nodelocaldns_tcp_accepted_total", "coredns_dns_requests_total", "coredns_cache_hits_total")
    before = [changing.metric(counter) for counter in counters]
    reload(changing, on(LOCAL))
    assert all(changing.metric(counter) >= was for counter, was in zip(counters, before, strict=True))


def test_the_swap_of_a_config_map_is_noticed_without_a_signal(debian: Scene[Unbound], tmp_path: Path) -> None:
    def publish(version: str, config: Configuration) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "resolver.yaml").write_text(yaml.safe_dump(config))
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    publish("..first", on(LOCAL, LOCAL_V6))
    with debian.resolver(on(LOCAL, LOCAL_V6)) as resolver:
        resolver.file.unlink()
        resolver.file.symlink_to(tmp_path / "..data" / "resolver.yaml")
        before = taken_over(resolver)
        publish("..second", on(LOCAL, world=OTHER_WORLD_DNS))
        wait_until(lambda: taken_over(resolver) > before, "the second version in force")
        name = new_name("example.com")
        assert dig(debian.lab.pod, name).status == "NOERROR"
        assert len(debian.other_world.asked_for(name)) == 1
