"""From NodeLocal DNSCache to the resolver, and back, on one node: the same answers, and pods that ask all the time.

What NodeLocal DNSCache is: its CoreDNS with the Corefile of its manifest, and the device and the rules that its command
makes. What the resolver is: that Corefile, converted. docs/migration.md has the steps; here they are carried out.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from resolver.migration import convert
from tests.lab.dig import dig
from tests.lab.netns import Namespace, run
from tests.lab.nodelocal import NodeLocalDNSCache
from tests.lab.nodeside import FOLLOW, sight
from tests.lab.process import first_in_line
from tests.lab.reports import report
from tests.lab.resolver import Resolver
from tests.lab.scene import Scene, new_name, scene
from tests.lab.servers import CoreDNS
from tests.lab.steady import Steady, steady, usual_questions
from tests.lab.story import AFTERWARDS_SECONDS, MARGIN_SECONDS
from tests.lab.succession import Event, Succession
from tests.lab.topology import CLUSTER_DNS, CLUSTER_DNS_UPSTREAM, LOCAL, NODE_IN_CLUSTER, OTHER_WORLD_DNS, WORLD_DNS
from tests.lab.waiting import wait_until
from tests.servers import coredns

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.serial,
    pytest.mark.needs("netns", "nft", "conntrack", "dig", "unbound", "nsd", "go", "gcc"),
]

PER_SECOND = 1000
PAUSE_QUESTIONS = 4000
STUB = f"stub.example.com:53 {{\n    bind {LOCAL} {CLUSTER_DNS}\n    cache 30\n    forward . {OTHER_WORLD_DNS}\n}}\n"
KUBE_PROXY = f"""\
table ip kube-proxy {{
    chain services {{
        type nat hook prerouting priority dstnat;
        ip daddr {CLUSTER_DNS} meta l4proto {{ tcp, udp }} th dport 53 dnat to {CLUSTER_DNS_UPSTREAM}
    }}
}}
"""
QUESTIONS = [
    *((f"{name}.svc.cluster.local", kind) for name in ("web.shop", "api.shop", "db.shop") for kind in ("A", "AAAA")),
    ("kubernetes.default.svc.cluster.local", "A"),
    ("KuberNetes.Default.svc.cluster.local", "A"),
    ("missing.shop.svc.cluster.local", "A"),
    ("_postgres._tcp.db.shop.svc.cluster.local", "SRV"),
    ("34.12.96.10.in-addr.arpa", "PTR"),
    ("99.99.96.10.in-addr.arpa", "PTR"),
    *((f"{name}example.com", kind) for name in ("", "www.", "four.", "alias.", "missing.") for kind in ("A", "AAAA")),
    *(("example.com", kind) for kind in ("MX", "NS", "SOA", "TXT")),
    ("www.example.com", "HTTPS"),
    ("_sip._tcp.example.com", "SRV"),
    ("mail.shop.svc.cluster.local", "A"),
    ("dangling.example.com", "A"),
    ("zero.example.com", "A"),
    ("many.example.com", "A"),
    ("big.example.com", "TXT"),
    ("stub.example.com", "A"),
    ("nowhere.invalid", "A"),
]
KNOWN = "a known service, cluster DNS dead"
Said = tuple[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene[CoreDNS]]:
    """A node with kube-proxy's translation of the cluster DNS address, and nothing at its local addresses yet."""
    folder, binary = tmp_path_factory.mktemp("migration"), coredns()

    def server(lab: Any) -> CoreDNS:
        return CoreDNS(lab.cluster, CLUSTER_DNS, folder, binary, WORLD_DNS, CLUSTER_DNS_UPSTREAM)

    with first_in_line(), scene(folder, server, assigned=False) as servers:
        run("ip", "netns", "exec", servers.lab.node.name, "nft", "-f", "-", standard_input=f"{FOLLOW}\n{KUBE_PROXY}")
        # What CoreDNS asks the world must not come from an address that the node will have: no pod of it does that.
        lab = servers.lab
        lab.cluster.ip("route", "replace", "default", "via", NODE_IN_CLUSTER, "src", CLUSTER_DNS_UPSTREAM)
        yield servers


@pytest.fixture
def before(cluster: Scene[CoreDNS], tmp_path: Path) -> Iterator[NodeLocalDNSCache]:
    server = NodeLocalDNSCache(
        cluster.lab.node, tmp_path, [LOCAL, CLUSTER_DNS], CLUSTER_DNS_UPSTREAM, WORLD_DNS, also=STUB
    )
    try:
        yield server
    finally:
        server.kill()


def converted(server: NodeLocalDNSCache) -> dict[str, Any]:
    """resolver.yaml for the Corefile of that server; nothing of it may be lost."""
    conversion = convert(server.corefile.read_text(), "Corefile", {})
    assert conversion.complete, conversion.remarks
    config: dict[str, Any] = yaml.safe_load(conversion.text)
    for zone in config["zones"]:
        zone["timeout"] = "4s"  # as long as a client waits: a busy server is no difference between the two
    return config | {"admin": {"address": "127.0.0.1", "port": 9253}}


def said(pod: Namespace, name: str, kind: str, *options: str, server: str = LOCAL) -> Said:
    """Status and data of an answer; data of a failure do not count."""
    dug = dig(pod, name, kind, *options, server=server)
    assert dug.question in {"", f"{name}."}, "the letters come back as they were sent"
    return dug.status, tuple(sorted(f"{record.type} {record.data}" for record in dug.answer))


def interview(cluster: Scene[CoreDNS]) -> dict[str, Said]:
    """What a pod is told: everything at both addresses, over both transports, then with the cluster's DNS killed."""
    pod, told = cluster.lab.pod, {}
    for name, kind in QUESTIONS:
        for server, option in ((LOCAL, "+notcp"), (LOCAL, "+tcp"), (CLUSTER_DNS, "+notcp")):
            told[f"{name} {kind} {server} {option}"] = said(pod, name, kind, option, server=server)
    cluster.cluster.kill()
    told[KNOWN] = said(pod, "web.shop.svc.cluster.local", "A")
    told["an unknown service, cluster DNS dead"] = (
        said(pod, f"unknown-{time.monotonic_ns()}.svc.cluster.local", "A")[0],
        (),
    )
    told["outside, cluster DNS dead"] = said(pod, new_name("example.com").removesuffix("."), "A")
    cluster.cluster.start()
    return told


def test_the_converted_configuration_answers_what_the_corefile_answers(
    cluster: Scene[CoreDNS], before: NodeLocalDNSCache, tmp_path: Path
) -> None:
    before.start()
    theirs = interview(cluster)
    before.stop()
    resolver = Resolver(cluster.lab.node, tmp_path, converted(before))
    try:
        resolver.start()
        ours = interview(cluster)
        assert resolver.stop() == 0
    finally:
        resolver.process.kill()
    assert ours.pop(KNOWN) == ("NOERROR", ("A 10.96.12.34",)), "expired answers stand in"
    assert theirs.pop(KNOWN)[0] in {"NOERROR", "SERVFAIL"}, "they last for five seconds"
    assert ours == theirs
    assert ours["an unknown service, cluster DNS dead"] == ("SERVFAIL", ())
    assert ours[f"web.shop.svc.cluster.local A {LOCAL} +notcp"] == ("NOERROR", ("A 10.96.12.34",))
    assert len(cluster.other_world.asked_for("stub.example.com.")) >= 2, "both asked the server of the stub domain"


class Move:
    """Both programs on one node under load, and what each step costs."""

    def __init__(self, node: Namespace, theirs: NodeLocalDNSCache, folder: Path) -> None:
        config = converted(theirs)
        production = {"handoverSocket": str(folder / "handover"), "user": "nobody"}
        self.theirs = theirs
        self.ours = Succession(node, folder, measured=False, **config | {"node": config["node"] | production})
        self.steps: dict[str, Event] = {}

    def step(self, name: str, load: Steady, *acts: Callable[[], object]) -> None:
        began = time.monotonic()
        for act in acts:
            act()
        event = self.steps[name] = Event(began, time.monotonic())
        load.go_on(PAUSE_QUESTIONS)
        # Answers alone do not tell: thousands may have waited for them, and come at once.
        over = event.ended + AFTERWARDS_SECONDS + 2 * MARGIN_SECONDS
        wait_until(lambda: time.monotonic() > over, "the end of what belongs to a step")

    def stop(self) -> None:
        assert self.ours.current.stop() == 0


@pytest.mark.parametrize("address", [CLUSTER_DNS, LOCAL])
def test_side_by_side_no_step_of_the_resolver_loses_a_question(
    cluster: Scene[CoreDNS], before: NodeLocalDNSCache, tmp_path: Path, address: str
) -> None:
    lab = cluster.lab
    found = sight(lab.node)
    before.start()
    alone = sight(lab.node)
    move = Move(lab.node, before, tmp_path)
    try:
        with steady(tmp_path, [lab.pod, lab.other_pod], address, usual_questions(), per_second=PER_SECOND) as load:
            load.go_on(2 * PAUSE_QUESTIONS)
            move.step("resolver starts beside it", load, move.ours.start)
            move.step("NodeLocal DNSCache ends", load, before.stop)
            move.step("back: NodeLocal DNSCache starts beside it", load, before.start)
            move.step("back: resolver ends", load, move.stop)
            assert sight(lab.node) == alone
    finally:
        move.ours.end()
    before.stop()
    assert sight(lab.node) == found
    costs = told(f"migration-beside-{address}", move, load)
    for step in ("resolver starts beside it", "back: resolver ends"):
        assert (costs[step].unanswered, costs[step].wrong, costs[step].refused) == (0, 0, 0)


def test_one_after_the_other_pods_of_the_cluster_dns_address_are_answered_by_the_cluster_meanwhile(
    cluster: Scene[CoreDNS], before: NodeLocalDNSCache, tmp_path: Path
) -> None:
    lab = cluster.lab
    before.start()
    move = Move(lab.node, before, tmp_path)
    try:
        with steady(tmp_path, [lab.pod, lab.other_pod], CLUSTER_DNS, usual_questions(), per_second=PER_SECOND) as load:
            load.go_on(2 * PAUSE_QUESTIONS)
            move.step("NodeLocal DNSCache ends", load, before.stop)
            asked = len(cluster.cluster.queries())
            move.step("resolver starts", load, move.ours.start)
            move.step("back: resolver ends", load, move.stop)
            move.step("back: NodeLocal DNSCache starts", load, before.start)
    finally:
        move.ours.end()
    before.stop()
    costs = told("migration-after", move, load)
    assert len(cluster.cluster.queries()) > asked
    assert all(each.right > each.failed for each in costs.values())


def told(name: str, move: Move, load: Steady) -> dict[str, Any]:
    """What became of the questions of each step, also as a report."""
    costs = {
        step: load.between(event.began - MARGIN_SECONDS, event.ended + AFTERWARDS_SECONDS)
        for step, event in move.steps.items()
    }
    report(
        name,
        [
            {
                "step": step,
                "seconds": move.steps[step].ended - move.steps[step].began,
                "asked": each.asked,
                "no answer": each.unanswered,
                "wrong": each.wrong,
                "refused": each.refused,
                "slowest, ms": each.slowest / 1000,
            }
            for step, each in costs.items()
        ],
    )
    return costs
