"""A node with two busy pods, and everything that happens to its resolver: nobody may notice.

The pods ask 10,000 questions per second all the time and count what they get. How long the slowest took is reported in
build/reports; `python -m benchmarks.restarts` tells the same story with more repetitions.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import story
from tests.lab.clients import Client, glibc, musl
from tests.lab.expected import SERVICES
from tests.lab.netns import Namespace, run
from tests.lab.nodeside import FOLLOW, sight, tracked
from tests.lab.process import first_in_line
from tests.lab.reports import report
from tests.lab.resolver import configuration
from tests.lab.scene import Scene, scene
from tests.lab.servers import CoreDNS
from tests.lab.steady import Asked, Count, Steady, steady, usual_questions
from tests.lab.story import Chapter
from tests.lab.succession import succession
from tests.lab.topology import (
    CLUSTER_DNS,
    CLUSTER_DNS_UPSTREAM,
    LOCAL,
    LOCAL_V6,
    NODE_IN_CLUSTER,
    OTHER_POD,
    POD,
    WORLD_DNS,
)
from tests.servers import coredns

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.serial,
    pytest.mark.needs("netns", "nft", "conntrack", "dig", "unbound", "nsd", "go", "gcc", "musl-gcc"),
]

TIMES = 3
ENOUGH_FOR_CONNTRACK = 100_000
MOST_READ_AND_UNANSWERED = 64
KUBE_PROXY = """\
table ip kube-proxy {{
    chain services {{
        type nat hook prerouting priority dstnat;
        ip daddr {service} meta l4proto {{ tcp, udp }} th dport 53 dnat to {pods}
    }}
}}
"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene[CoreDNS]]:
    """The lab, its local address left to the resolver, conntrack at work; nothing else of the machine in the way."""
    folder, binary = tmp_path_factory.mktemp("busy"), coredns()

    def server(lab: Any) -> CoreDNS:
        return CoreDNS(lab.cluster, CLUSTER_DNS, folder, binary, WORLD_DNS, CLUSTER_DNS_UPSTREAM)

    with first_in_line(), scene(folder, server, assigned=False) as servers:
        put_rules(servers.lab.node, FOLLOW)
        yield servers


def put_rules(node: Namespace, rules: str) -> None:
    run("ip", "netns", "exec", node.name, "nft", "-f", "-", standard_input=rules)


def state_of(node: Namespace) -> tuple[str, str]:
    """Addresses and rules, and processes."""
    return sight(node), run("ip", "netns", "pids", node.name)


@pytest.fixture(autouse=True)
def as_before(busy: Scene[CoreDNS]) -> Iterator[None]:
    """Whatever a test does: addresses, rules and processes of the node are then as they were."""
    before = state_of(busy.lab.node)
    yield
    assert state_of(busy.lab.node) == before


def followed(node: Namespace, address: str = LOCAL) -> list[str]:
    """What conntrack knows of questions to this address; what its owner asks others is not meant."""
    asked = re.compile(rf"dst={re.escape(address)} sport=\d+ dport=53 ")
    return [line for line in tracked(node, 53) if asked.search(line)]


@dataclass(slots=True)
class Told:
    """The story, when it is over."""

    load: Steady
    chapters: dict[str, Chapter]
    followed: list[str]
    left: bool
    """Whether the node was as before."""
    dropped: dict[str, float]
    """Questions that were not answered for want of time, by reason, before the first death."""

    def costs(self, name: str) -> Count:
        return self.chapters[name].costs(self.load)


@pytest.fixture(scope="module")
def told(busy: Scene[CoreDNS], tmp_path_factory: pytest.TempPathFactory) -> Told:
    lab, folder = busy.lab, tmp_path_factory.mktemp("story")
    before = state_of(lab.node)
    with succession(lab.node, folder, measured=False) as line:
        with steady(folder, [lab.pod, lab.other_pod], LOCAL, usual_questions()) as load:
            load.go_on(story.PAUSE_QUESTIONS)
            chapters = [
                tell(line, load, TIMES)
                for tell in (story.upgrades, story.failing_upgrades, story.reloads, story.standstills)
            ]
            dropped = {
                reason: line.current.metric("nodelocaldns_udp_dropped_total", reason=reason)
                for reason in ("socket", "share", "filter")
            }
            chapters.append(story.deaths(line, load, TIMES))
            enough = load.all().right
            seen = followed(lab.node)
            chapters.append(story.losses(line, load, 1))
        assert enough > ENOUGH_FOR_CONNTRACK
        assert line.current.stop() == 0
    rows = [row_of(chapter, load) for chapter in chapters]
    report("restarts-short", rows)
    by_name = {chapter.name: chapter for chapter in chapters}
    return Told(load, by_name, seen, state_of(lab.node) == before, dropped)


def row_of(chapter: Chapter, load: Steady) -> dict[str, str | int | float]:
    costs = chapter.costs(load)
    return {
        "event": chapter.name,
        "times": len(chapter.events),
        "asked": costs.asked,
        "unanswered": costs.unanswered,
        "wrong": costs.wrong,
        "slowest, ms": costs.slowest / 1000,
    }


@pytest.mark.parametrize(
    "event",
    [
        "hand-over to a new version",
        "hand-over that fails its self-check",
        "configuration reload",
        "worker without a turn",
    ],
)
def test_no_question_is_lost_or_fails_because_of(told: Told, event: str) -> None:
    costs = told.costs(event)
    assert costs.asked > 0
    assert (costs.unanswered, costs.wrong, costs.refused) == (0, 0, 0), told.dropped


def test_a_killed_worker_costs_at_most_the_questions_it_had_read(told: Told) -> None:
    costs = told.costs("worker SIGKILLed")
    assert (costs.wrong, costs.refused) == (0, 0)
    assert costs.unanswered <= TIMES * MOST_READ_AND_UNANSWERED


def test_questions_over_tcp_are_among_them_and_nobody_is_answered_twice(told: Told) -> None:
    assert told.load.tcp > 1000
    assert told.load.stray == 0


def test_a_new_version_knows_what_the_old_one_knew(told: Told) -> None:
    shares = told.chapters["hand-over to a new version"].hit_shares
    assert len(shares) == TIMES
    changes = sorted(abs(after - before) for before, after in shares)
    assert changes[TIMES // 2] <= 0.01, (
        "one may meet the moment in which many answers expire; one that knows nothing, none"
    )


def test_questions_of_pods_leave_no_trace_in_conntrack(told: Told) -> None:
    assert told.followed == []


def test_the_node_is_as_before_when_the_last_one_has_stopped(told: Told) -> None:
    assert told.left


def test_without_the_rules_conntrack_follows_questions(busy: Scene[CoreDNS], tmp_path: Path) -> None:
    lab = busy.lab
    node = {"manageInterface": True, "notrack": False, "user": "nobody"}
    with succession(lab.node, tmp_path, measured=False, node=node) as line:
        with steady(tmp_path, [lab.pod, lab.other_pod], LOCAL, usual_questions()) as load:
            load.go_on(1000)
        assert load.all().failed == 0
        found = followed(lab.node)
        assert {line.split()[0] for line in found} == {"udp", "tcp"}
        assert all(any(f"src={pod} " in line for line in found) for pod in (POD, OTHER_POD))
        assert line.current.stop() == 0
    lab.node.run("conntrack", "-F")


def test_transparent_the_address_of_the_cluster_dns_is_answered_through_an_upgrade_and_the_last_exit(
    busy: Scene[CoreDNS], tmp_path: Path
) -> None:
    lab = busy.lab
    put_rules(lab.node, KUBE_PROXY.format(service=CLUSTER_DNS, pods=CLUSTER_DNS_UPSTREAM))
    before, seen = state_of(lab.node), len(busy.cluster.queries())
    config = configuration(cluster={"upstreams": [CLUSTER_DNS_UPSTREAM]})
    topics = {"listen": {"addresses": [LOCAL, LOCAL_V6, CLUSTER_DNS], "port": 53}, "zones": config["zones"]}
    with succession(lab.node, tmp_path, measured=False, **topics) as line:
        with steady(tmp_path, [lab.pod, lab.other_pod], CLUSTER_DNS, usual_questions()) as load:
            load.go_on(story.PAUSE_QUESTIONS)
            upgrade = story.upgrades(line, load, 1)
        assert upgrade.costs(load).failed == load.all().failed == 0
        assert followed(lab.node, CLUSTER_DNS) == []
        assert {query.client for query in busy.cluster.queries()[seen:]} <= {NODE_IN_CLUSTER}
        in_cluster = [Asked("web.shop.svc.cluster.local", "A", bytes((10, 96, 12, 34)))]
        with steady(tmp_path, [lab.pod, lab.other_pod], CLUSTER_DNS, in_cluster, per_second=250) as load:
            load.go_on(50)
            assert line.current.stop() == 0
            load.go_on(50)
        assert load.all().failed == 0, "from one question to the next, the cluster's DNS answers"
    assert state_of(lab.node) == before
    put_rules(lab.node, "delete table ip kube-proxy")
    lab.node.run("conntrack", "-F")


@pytest.mark.parametrize("make", [glibc, musl])
def test_after_the_death_of_all_a_client_asks_its_second_server_at_once(
    busy: Scene[CoreDNS], tmp_path: Path, make: Any
) -> None:
    client: Client = make(tmp_path)
    pod, name = busy.lab.pod, "web.shop.svc.cluster.local"
    with succession(busy.lab.node, tmp_path) as line:
        assert client.lookup(pod, name) == SERVICES[name]
        line.kill()
        seen, before, opted_in = len(busy.cluster.queries()), time.monotonic(), pod.resolv_conf()
        # Half a minute per server, as much as glibc allows: a lookup that had to wait for that would be ended.
        pod.write_resolv_conf(opted_in.replace("timeout:1", "timeout:30"))
        try:
            found = client.lookup(pod, name)
        finally:
            pod.write_resolv_conf(opted_in)
        took = time.monotonic() - before
        assert found == SERVICES[name]
        assert {query.client for query in busy.cluster.queries()[seen:]} == {POD}
        line.start()
        assert line.current.stop() == 0
    report(f"second-server-{client.name}", [{"client": client.name, "lookup of A and AAAA, ms": took * 1000}])
