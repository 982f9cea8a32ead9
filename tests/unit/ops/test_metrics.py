import asyncio
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resolver.clusterstate import ClusterState
from resolver.config import Transport, Upstream, Zone
from resolver.histogram import BOUNDS_SECONDS
from resolver.message import codes
from resolver.nodestate import Bypass, BypassResult, NodeState
from resolver.ops.metrics import MetricsPage, count_entries
from resolver.ops.pulse import Pulse
from resolver.ops.requests import Request
from resolver.ops.sources import ListenerState, Sources
from resolver.survey.survey import WINDOW_SECONDS, Owner, Survey
from resolver.upstream.health import FAILURES_TO_DOWN
from tests.bare import said_by
from tests.unit.builders import answer_packet
from tests.unit.ops.stage import CLUSTER, Stage

ASKED = Request("GET", "/metrics", {}, "127.0.0.1")
DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
CHAOS = 3
TXT = 16


NODE = NodeState(
    device="nodelocaldns",
    rules=True,
    bypass=Bypass(BypassResult.PASSED),
    repairs={"interface": 2},
    setup_errors={"interface_add": 1},
)


KNOWN = ClusterState()
KNOWN.learn({"is": "watch", "what": "kube-system/kube-dns", "ok": True})
KNOWN.learn({"is": "endpoints", "service": "kube-system/kube-dns", "ready": 9, "endpoints": [["10.244.0.1", 53, 53]]})


class Reloaded:
    successful = False
    succeeded_at = 1.5e9
    results = {"success": 1, "failure": 2}  # noqa: RUF012 - as in the protocol


def surveyed() -> Survey:
    """One pod that asks once."""
    survey = Survey(0.0)
    survey.owners = {"10.1.0.7": Owner("web-1", "shop")}
    survey.saw("10.1.0.7", answer_packet(), 1)
    survey.tick(WINDOW_SECONDS)
    survey.saw("10.1.0.7", answer_packet(), 2)
    survey.saw("10.1.0.8", answer_packet(), 3)
    return survey


class Scraped:
    """One scrape, parsed: samples by name and by the labels that matter."""

    def __init__(self, stage: Stage, *, listeners: ListenerState | None = None, node: NodeState = NODE) -> None:
        state = listeners or ListenerState()
        sources = Sources(
            engine=stage.engine,
            servers=stage.servers,
            pulse=Pulse(stage.engine),
            reload=Reloaded(),
            port=lambda: 5353,
            listeners=lambda: state,
            node=lambda: node,
            replaced=lambda: {"silent": 4},
            cluster=lambda: KNOWN,
            log_dropped=lambda: 9,
            survey=surveyed(),
        )
        response = asyncio.run(MetricsPage(sources).show(ASKED))
        assert isinstance(response.body, bytes)
        self.text = response.body.decode()
        self.families = list(text_string_to_metric_families(self.text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The only sample of this name with these labels."""
        (value,) = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]  # fmt: skip
        return value

    def sum(self, name: str, **labels: str) -> float:
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )


def busy_stage() -> Stage:
    """web: a miss over UDP, two hits, a hit over TCP; db: a miss over IPv6; gone: NXDOMAIN and a hit; broken: two
    failures; later one stale answer for web; a rejected query; a packet that is none.
    """
    stage = Stage()
    stage.known = {
        "web.cluster.local.": ["web.cluster.local. 60 A 10.0.0.1"],
        "db.cluster.local.": ["db.cluster.local. 60 AAAA fd00::1"],
        "gone.test.": [],
    }
    for _ in range(3):
        stage.ask("web.cluster.local")
    stage.ask("web.cluster.local", tcp=True)
    stage.ask("db.cluster.local", codes.AAAA, family=6)
    stage.ask("gone.test")
    stage.ask("gone.test")
    stage.ask("broken.test")
    stage.ask("broken.test")
    stage.now += 40
    del stage.known["web.cluster.local."]
    stage.ask("web.cluster.local")
    stage.ask("id.server", TXT, qclass=CHAOS)
    stage.engine.answer(b"rubbish", "10.0.0.7", stage.engine.via(tcp=False, family=4), stage.now)
    return stage


def test_requests_are_counted_with_coredns_labels() -> None:
    scraped = Scraped(busy_stage())
    name = "coredns_dns_requests_total"
    assert scraped.sum(name) == 11
    assert scraped.value(name, zone="cluster.local.", proto="udp", family="1", type="A") == 4
    assert scraped.value(name, zone="cluster.local.", proto="tcp", family="1", type="A") == 1
    assert scraped.value(name, zone="cluster.local.", proto="udp", family="2", type="AAAA") == 1
    assert scraped.value(name, zone=".", type="A") == 4
    assert scraped.value(name, zone="dropped", type="TXT") == 1
    assert {sample.labels["server"] for sample in scraped.samples if sample.name == name} == {"dns://:5353"}
    assert {sample.labels["view"] for sample in scraped.samples if sample.name == name} == {""}


def test_responses_say_where_they_came_from() -> None:
    scraped = Scraped(busy_stage())
    name = "coredns_dns_responses_total"
    assert scraped.sum(name) == scraped.sum("coredns_dns_requests_total")
    assert scraped.value(name, zone="cluster.local.", rcode="NOERROR", plugin="cache") == 3
    assert scraped.value(name, zone="cluster.local.", rcode="NOERROR", plugin="forward") == 2
    assert scraped.value(name, zone="cluster.local.", rcode="NOERROR", plugin="stale") == 1
    assert scraped.value(name, zone=".", rcode="NXDOMAIN", plugin="forward") == 1
    assert scraped.value(name, zone=".", rcode="NXDOMAIN", plugin="cache") == 1
    assert scraped.value(name, zone=".", rcode="SERVFAIL", plugin="failure") == 2
    assert scraped.value(name, zone="dropped", rcode="REFUSED", plugin="rejected") == 1


def test_hits_and_misses_add_up_to_the_requests_of_the_cache() -> None:
    scraped = Scraped(busy_stage())
    assert scraped.value("coredns_cache_hits_total", type="success", zones="cluster.local.") == 4
    assert scraped.value("coredns_cache_hits_total", type="denial", zones=".") == 1
    assert scraped.value("coredns_cache_misses_total", zones="cluster.local.") == 2
    assert scraped.value("coredns_cache_misses_total", zones=".") == 3
    assert scraped.value("coredns_cache_served_stale_total", zones="cluster.local.") == 1
    hits_and_misses = scraped.sum("coredns_cache_hits_total") + scraped.sum("coredns_cache_misses_total")
    assert scraped.sum("coredns_cache_requests_total") == hits_and_misses == 10
    assert scraped.value("coredns_cache_entries", type="success", zones="cluster.local.") == 2
    assert scraped.value("coredns_cache_entries", type="denial", zones=".") == 1


def test_durations_are_cumulative_histograms_with_coredns_buckets() -> None:
    stage = busy_stage()
    stage.engine.spent(5, 0.0004)
    stage.engine.spent(2, 100.0)
    scraped = Scraped(stage)
    name = "coredns_dns_request_duration_seconds"
    assert scraped.value(name + "_count", zone="cached") == 7
    assert scraped.value(name + "_sum", zone="cached") == pytest.approx(200.002)
    assert [scraped.value(name + "_bucket", zone="cached", le=le) for le in ("0.00025", "0.0005", "8.192", "+Inf")] == [
        0, 5, 5, 7,
    ]  # fmt: skip
    assert scraped.value(name + "_count", zone="cluster.local.") == 3
    bounds = {sample.labels["le"] for sample in scraped.samples if sample.name == name + "_bucket"}
    assert {float(bound) for bound in bounds} == {*BOUNDS_SECONDS, float("inf")}
    proxy = "coredns_proxy_request_duration_seconds_count"
    assert scraped.value(proxy, proxy_name="forward", to="10.96.0.10:53", rcode="NOERROR") == 2
    assert scraped.value(proxy, proxy_name="forward", to="192.0.2.1:53", rcode="NXDOMAIN") == 1


def test_upstreams_show_their_health_and_their_connections() -> None:
    stage = busy_stage()
    for server in stage.servers:
        if server.upstream.address == "192.0.2.2":
            for _ in range(FAILURES_TO_DOWN):
                server.health.failed(stage.now)
    scraped = Scraped(stage)
    assert scraped.value("nodelocaldns_upstream_healthy", to="192.0.2.2:53", transport="tcp") == 0
    assert scraped.value("nodelocaldns_upstream_healthy", to="192.0.2.1:53") == 1
    assert scraped.value("coredns_proxy_healthcheck_failures_total", to="192.0.2.2:53") == FAILURES_TO_DOWN
    assert scraped.value("nodelocaldns_upstream_connections", to="10.96.0.10:53") == 2
    assert scraped.value("nodelocaldns_upstream_in_flight", to="10.96.0.10:53") == 3


def test_an_upstream_asked_over_two_transports_has_one_histogram_and_two_states() -> None:
    address = Upstream("10.96.0.10")
    over_udp = Zone(names=("test",), upstreams=(address,), transport=Transport.UDP)
    stage = Stage([CLUSTER, over_udp])
    stage.known = {name: [f"{name} 60 A 10.0.0.1"] for name in ("a.cluster.local.", "b.cluster.local.", "c.test.")}
    for name in stage.known:
        stage.ask(name)
    scraped = Scraped(stage)
    proxy = "coredns_proxy_request_duration_seconds"
    assert scraped.value(proxy + "_count", to="10.96.0.10:53", rcode="NOERROR") == 3
    assert scraped.value(proxy + "_sum", to="10.96.0.10:53") == pytest.approx(3 * 0.002)
    for transport in ("tcp", "udp"):
        assert scraped.value("nodelocaldns_upstream_healthy", to="10.96.0.10:53", transport=transport) == 1


def test_what_others_count_is_passed_on() -> None:
    state = ListenerState(3, 40, {"full": 2}, {"idle": 5}, {"ENOBUFS": 7}, {"share": 9, "socket": 8}, 1)
    scraped = Scraped(busy_stage(), listeners=state)
    assert scraped.value("nodelocaldns_tcp_connections") == 3
    assert scraped.value("nodelocaldns_tcp_accepted_total") == 40
    assert scraped.value("nodelocaldns_tcp_refused_total", reason="full") == 2
    assert scraped.value("nodelocaldns_tcp_ended_total", reason="idle") == 5
    assert scraped.value("nodelocaldns_udp_lost_total", error="ENOBUFS") == 7
    assert scraped.value("nodelocaldns_udp_dropped_total", reason="share") == 9
    assert scraped.value("nodelocaldns_udp_dropped_total", reason="socket") == 8
    assert scraped.value("coredns_panics_total") == 1
    assert scraped.value("nodelocaldns_dropped_packets_total", reason="not_a_query") == 1
    assert scraped.value("coredns_nodecache_setup_errors_total", errortype="interface_add") == 1
    assert scraped.value("nodelocaldns_node_addresses", device="nodelocaldns") == 1
    assert scraped.value("nodelocaldns_node_rules") == 1
    assert scraped.value("nodelocaldns_conntrack_bypass", result="passed") == 1
    assert scraped.value("nodelocaldns_conntrack_bypass", result="failed") == 0
    assert scraped.value("nodelocaldns_node_repairs_total", what="interface") == 2
    assert scraped.value("nodelocaldns_cluster_watching", what="kube-system/kube-dns") == 1
    assert scraped.value("nodelocaldns_service_endpoints", service="kube-system/kube-dns", state="ready") == 9
    assert scraped.value("nodelocaldns_service_endpoints", service="kube-system/kube-dns", state="asked") == 1
    assert scraped.value("nodelocaldns_config_last_reload_successful") == 0
    assert scraped.value("nodelocaldns_config_last_reload_success_timestamp_seconds") == 1.5e9
    assert scraped.value("nodelocaldns_config_reloads_total", result="failure") == 2
    assert scraped.value("nodelocaldns_log_dropped_total") == 9
    assert scraped.value("nodelocaldns_cache_max_bytes") == 16 << 20
    assert scraped.value("process_resident_memory_bytes") > 1 << 20


def test_repairs_count_from_zero_on_where_there_is_something_to_repair() -> None:
    name = "nodelocaldns_node_repairs_total"
    assert Scraped(busy_stage(), node=NodeState(device="nodelocaldns", rules=True)).sum(name) == 0
    for node, there in (
        (NodeState(), set()),
        (NodeState(device="lo"), {"interface"}),
        (NodeState(rules=False), {"rules"}),
    ):
        scraped = Scraped(busy_stage(), node=node)
        assert {sample.labels["what"] for sample in scraped.samples if sample.name == name} == there


def test_a_store_is_counted_by_zone_and_kind() -> None:
    assert asyncio.run(count_entries(busy_stage().engine.store)) == Counter(
        {("cluster.local.", "success"): 2, (".", "denial"): 1}
    )


def documented() -> dict[str, tuple[str, set[str]]]:
    """Name to type and labels, as the tables of the document say."""
    rows = [line.split("|")[1:-1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {
        row[0].strip("`"): (row[1], {label.strip() for label in row[2].split(",") if label.strip()})
        for row in cells
        if len(row) > 2
    }


def test_pods_have_a_metric_of_their_own_from_when_they_are_among_the_busiest() -> None:
    scraped = Scraped(busy_stage())
    assert scraped.value("nodelocaldns_pod_queries_total", namespace="shop", pod="web-1") == 2
    assert scraped.value("nodelocaldns_pod_queries_total", namespace="(other)", pod="(other)") == 4
    assert scraped.value("nodelocaldns_namespace_queries_total", namespace="shop") == 2
    assert scraped.value("nodelocaldns_namespace_queries_total", namespace="(other)") == 4


def test_the_document_lists_exactly_what_is_served() -> None:
    state = ListenerState(3, 40, {"full": 2}, {"idle": 5}, {"ENOBUFS": 7}, {"share": 9, "socket": 8}, 1)
    stage = busy_stage()
    stage.engine.routes.all[0].alike = 1
    scraped = Scraped(stage, listeners=state)
    served = {}
    for line in scraped.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            samples = [sample for sample in scraped.samples if sample.name in {name + suffix for suffix in suffixes}]
            served[name] = (kind, {label for sample in samples for label in sample.labels if label != "le"})
    assert served == documented()


def test_zones_with_endpoints_say_how_often_one_went_quiet() -> None:
    stage = busy_stage()
    cluster, world = stage.engine.routes.all
    cluster.alike = 1
    assert cluster.haste.take(1.0, 0.001)
    world.haste.total = 5
    scraped = Scraped(stage)
    assert scraped.value("nodelocaldns_upstream_hasty_total", zone="cluster.local.") == 1
    assert 'nodelocaldns_upstream_hasty_total{zone="."}' not in scraped.text


def test_what_is_large_is_not_imported_for_the_admin_endpoints() -> None:
    code = (
        "import sys, resolver.ops.metrics, resolver.ops.http, resolver.ops.health, resolver.ops.cachepage,"
        "resolver.ops.logs; print(sorted({'prometheus_client', 'dnslib', 'pathlib', 'datetime'} & set(sys.modules)))"
    )
    assert said_by(code) == "[]"


def test_what_is_missing_on_the_node_shows() -> None:
    node = NodeState(device="lo", missing=("169.254.20.10",), rules=False, bypass=Bypass(BypassResult.FAILED))
    scraped = Scraped(Stage(), node=node)
    assert scraped.value("nodelocaldns_node_addresses", device="lo") == 0
    assert scraped.value("nodelocaldns_node_rules") == 0
    assert scraped.value("nodelocaldns_conntrack_bypass", result="failed") == 1


def test_of_a_node_that_is_left_alone_nothing_is_told() -> None:
    scraped = Scraped(Stage(), node=NodeState())
    told = {"nodelocaldns_node_addresses", "nodelocaldns_node_rules", "nodelocaldns_conntrack_bypass"}
    assert told.isdisjoint(sample.name for sample in scraped.samples)
