"""What an operator sees and decides, through the real program: transports, clients, what is remembered, readiness."""

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.lab.ask import ask, connected
from tests.lab.dig import dig
from tests.lab.resolver import PATIENT, Resolver, configuration
from tests.lab.scene import Scene, new_name
from tests.lab.servers import Unbound
from tests.lab.topology import LOCAL, OTHER_WORLD_DNS
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd")

REFUSED, PROHIBITED = "REFUSED", 18


@pytest.fixture
def plain(debian: Scene[Unbound]) -> Iterator[Resolver]:
    with debian.resolver(configuration(cluster=PATIENT, world=PATIENT)) as running:
        yield running


def test_a_udp_zone_is_asked_over_udp_and_over_tcp_only_for_what_does_not_fit(debian: Scene[Unbound]) -> None:
    world = {"upstreams": [OTHER_WORLD_DNS], "transport": "udp", **PATIENT}
    with debian.resolver(configuration(world=world)):
        before = debian.other_world.counter("num.query.tcp")
        for _ in range(3):
            assert dig(debian.lab.pod, new_name("example.com")).status == "NOERROR"
        assert debian.other_world.counter("num.query.tcp") == before
        whole = dig(debian.lab.pod, "big.example.com", "TXT", "+tcp")
        assert (whole.status, len(whole.answer)) == ("NOERROR", 10)
        assert debian.other_world.counter("num.query.tcp") == before + 1


def test_who_is_not_among_the_allowed_clients_is_refused_with_the_reason(debian: Scene[Unbound]) -> None:
    listen = {**configuration()["listen"], "allowedClients": ["10.244.0.0/16"]}
    name = "www.example.com"
    # The resolver's own readiness is asked from the node, which is shut out here as well: REFUSED is an answer.
    with debian.resolver(configuration(listen=listen, world=PATIENT)):
        for _ in range(2):
            assert dig(debian.lab.pod, name).status == "NOERROR"
            shut_out = dig(debian.lab.node, name)
            assert (shut_out.status, shut_out.extended_error, shut_out.answer) == (REFUSED, PROHIBITED, ())


def test_what_is_remembered_is_shown_and_forgotten_on_demand(debian: Scene[Unbound], plain: Resolver) -> None:
    pod, name = debian.lab.pod, new_name("example.com")
    assert dig(pod, name).status == "NOERROR"
    status, page = plain.admin(f"/cache?name={name}&type=A")
    (entry,) = json.loads(page)["entries"]
    assert (status, entry["state"], entry["zone"], entry["server"]) == (200, "fresh", ".", "192.0.2.53:53")
    for what in (f"name={name}", "suffix=example.com", "all=true"):
        asked = len(debian.world.asked_for(name))
        assert json.loads(plain.admin(f"/cache?{what}", "DELETE")[1])["forgotten"] >= 1
        assert plain.admin(f"/cache?name={name}")[0] == 404
        assert dig(pod, name).status == "NOERROR"
        assert len(debian.world.asked_for(name)) == asked + 1


def test_a_pod_may_look_at_monitoring_and_neither_at_names_nor_change_anything(debian: Scene[Unbound]) -> None:
    config = configuration(admin={"address": "0.0.0.0", "port": 9253})
    said = {}
    with debian.resolver(config):
        for method, path in (
            ("GET", "/metrics"),
            ("GET", "/cache?name=www.example.com"),
            ("DELETE", "/cache?all=true"),
        ):
            page = http.client.HTTPConnection(LOCAL, 9253)
            with connected(debian.lab.pod, LOCAL, 9253, tcp=True) as page.sock:
                page.request(method, path)
                said[method, path] = page.getresponse().status
    assert list(said.values()) == [200, 403, 403]


def test_requests_replies_and_cache_counters_add_up(debian: Scene[Unbound], plain: Resolver) -> None:
    names = ["www.example.com", "missing.example.com", "web.shop.svc.cluster.local", "zero.example.com"]
    before = plain.metric("coredns_dns_requests_total")
    for name in names * 3:
        for transport in ("+tcp", "+notcp"):
            assert dig(debian.lab.pod, name, "A", transport).status in {"NOERROR", "NXDOMAIN"}
    dig(debian.lab.pod, "www.example.com", "AXFR")
    requests = plain.metric("coredns_dns_requests_total")
    assert requests - before == len(names) * 6 + 1
    assert plain.metric("coredns_dns_responses_total") == requests
    hits, misses = plain.metric("coredns_cache_hits_total"), plain.metric("coredns_cache_misses_total")
    assert hits + misses == plain.metric("coredns_cache_requests_total")
    assert plain.metric("nodelocaldns_dropped_packets_total") == 0


def test_ready_says_which_zone_has_no_server_and_no_answers_to_stand_in(debian: Scene[Unbound]) -> None:
    nobody = "192.0.2.99"
    with debian.resolver(configuration(world={"upstreams": [nobody]})) as resolver:
        assert resolver.admin("/ready")[0] == 200
        for _ in range(3):
            ask(debian.lab.pod, LOCAL, new_name("example.com"), patience_seconds=2.0)
        wait_until(lambda: resolver.admin("/ready")[0] == 503, "/ready to notice")
        page = json.loads(resolver.admin("/ready")[1])
        assert page["reasons"] == ["zone . has no upstream that answers, and no answers to stand in"]
        assert resolver.admin("/health")[0] == 200
