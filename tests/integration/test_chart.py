"""The resolver.yaml that the chart generates, in the lab, with the capabilities that the chart gives and no others.

What the kubelet would tell the container is in the environment. Presets that are not named here give one of these files
(tests/unit/chart/test_configuration.py).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab.ask import ask
from tests.lab.helm import Values, merged, one, preset, render, resolver_yaml, text_of_resolver_yaml
from tests.lab.netns import Namespace
from tests.lab.nodeside import sight
from tests.lab.resolver import PROGRAM, Resolver
from tests.lab.scene import Scene, new_name, scene
from tests.lab.servers import Unbound, cluster_unbound
from tests.lab.topology import CLUSTER_DNS, CLUSTER_DNS_UPSTREAM
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("netns", "nft", "conntrack", "unbound", "nsd")

TOLD_BY_KUBELET = {
    "KUBE_DNS_SERVICE_HOST": CLUSTER_DNS,
    "KUBE_DNS_UPSTREAM_SERVICE_HOST": CLUSTER_DNS_UPSTREAM,
    "NODELOCALDNS_UPSTREAM_SERVICE_HOST": CLUSTER_DNS_UPSTREAM,
}
USER = 65532
"""Whom workers run as, as the chart says."""
ADDRESS = {"0.0.0.0": "127.0.0.1"}
LISTED = {"KILL": 5, "SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10, "NET_ADMIN": 12}
"""What docs/threat-model.md says the supervisor has; the numbers are those of <linux/capability.h>."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene[Unbound]]:
    folder = tmp_path_factory.mktemp("chart")
    with scene(
        folder, lambda lab: cluster_unbound(lab.cluster, CLUSTER_DNS_UPSTREAM, folder), assigned=False
    ) as servers:
        yield servers


def granted(values: Values) -> list[str]:
    """The capabilities that the chart gives."""
    context = one(render(values), "DaemonSet")["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    return list(context["capabilities"]["add"])


def rights(pid: int) -> dict[str, int]:
    """The sets of capabilities of a process, by their names in proc(5)."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Cap"))
    return {name.rstrip(":"): int(value, 16) for name, value in lines}


def confined(values: Values, without: str = "") -> list[str]:
    """The command in the confines of the container's securityContext."""
    context = one(render(values), "DaemonSet")["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    added = [name for name in context["capabilities"].get("add", []) if name != without]
    bounds = ",".join(["-all", *(f"+{name.lower()}" for name in added)])
    assert context["allowPrivilegeEscalation"] is False
    return ["setpriv", f"--bounding-set={bounds}", "--inh-caps=-all", "--no-new-privs", "--", *PROGRAM]


@contextmanager
def installed(node: Namespace, folder: Path, values: Values, without: str = "") -> Iterator[Resolver]:
    """A resolver that is not running yet, with the chart's file and capabilities."""
    folder.mkdir()
    resolver = Resolver(
        node,
        folder,
        {},
        measured=False,
        environment=TOLD_BY_KUBELET,
        program=confined(values, without),
    )
    resolver.configure(text_of_resolver_yaml(render(values)))
    try:
        yield resolver
    finally:
        resolver.process.kill()


@contextmanager
def helpers_of(resolver: Resolver) -> Iterator[dict[int, dict[str, int]]]:
    """The rights of the short-lived processes that change the node, while they live."""
    seen: dict[int, dict[str, int]] = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.002):
            with suppress(OSError, RuntimeError):  # it has not begun, or is over
                for pid in resolver.workers():
                    if pid not in seen and b"resolver.node.helper" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        seen[pid] = rights(pid)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def answers(node: Namespace, config: Any, name: str) -> set[str]:
    """What it says about a name, at each of its addresses, over UDP and TCP."""
    found = set()
    for address in config["listen"]["addresses"]:
        where = TOLD_BY_KUBELET.get(address.strip("$()"), ADDRESS.get(address, address))
        for tcp in (False, True):
            reply = ask(node, where, name, port=config["listen"]["port"], tcp=tcp, patience_seconds=5.0)
            found.add(str(reply.get_a().rdata) if reply else "nothing")
    return found


@pytest.mark.parametrize("name", ["", "kube-proxy-transparent", "gke", "dual-stack", "cilium"])
def test_with_the_file_of_the_chart_names_of_the_cluster_and_of_the_world_are_answered(
    place: Scene[Unbound], tmp_path: Path, name: str
) -> None:
    values = merged(preset(name) if name else {}, {"resolver": {"handoverPath": str(tmp_path)}})
    node, config = place.lab.node, resolver_yaml(render(values))
    before = sight(node)
    with installed(node, tmp_path / "run", values) as resolver:
        resolver.succeed()
        assert answers(node, config, "web.shop.svc.cluster.local") == {"10.96.12.34"}
        assert answers(node, config, new_name("example.com")) != {"nothing"}
        assert resolver.admin("/health")[0] == 200
        assert resolver.stop() == 0
    assert sight(node) == before


def test_a_worker_that_stands_still_is_replaced_and_a_successor_takes_over(
    place: Scene[Unbound], tmp_path: Path
) -> None:
    values = {"resolver": {"handoverPath": str(tmp_path)}}
    node, config = place.lab.node, resolver_yaml(render(values))
    before = sight(node)
    with installed(node, tmp_path / "old", values) as old, installed(node, tmp_path / "new", values) as new:
        old.succeed()
        worker = next(pid for pid in old.workers() if Path("/proc", str(pid)).stat().st_uid == USER)
        old.freeze(worker)
        wait_until(lambda: bool(old.events("worker replaced")), "another worker in place of the frozen one")
        assert answers(node, config, "web.shop.svc.cluster.local") == {"10.96.12.34"}
        new.succeed()
        assert old.process.wait() == 0
        assert answers(node, config, "web.shop.svc.cluster.local") == {"10.96.12.34"}
        assert new.stop() == 0
    assert sight(node) == before


def test_each_process_has_the_rights_that_are_listed_and_no_others(place: Scene[Unbound], tmp_path: Path) -> None:
    values = {"resolver": {"handoverPath": str(tmp_path)}}
    with installed(place.lab.node, tmp_path / "run", values) as resolver:
        with helpers_of(resolver) as helpers:
            resolver.succeed()

            def seen() -> bool:
                if not helpers:  # they live for a moment only
                    place.lab.node.run("nft", "flush", "ruleset")  # another one puts them back
                return bool(helpers)

            wait_until(seen, "a helper at work")
        (supervisor,) = (set(rights(resolver.supervisor).values()),)
        assert supervisor == {0, sum(1 << number for number in LISTED.values())}
        assert helpers, "the interface is there, so one has made it"
        for held in helpers.values():
            assert set(held.values()) == supervisor
        for pid in resolver.workers():
            if Path("/proc", str(pid)).stat().st_uid == USER:
                # CAP_SETPCAP, which would empty the bounding set as well, is not given; no_new_privs makes it moot.
                assert {rights(pid)[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert resolver.stop() == 0
    assert set(granted(values)) == set(LISTED)


@pytest.mark.parametrize("without", ["NET_ADMIN", "NET_BIND_SERVICE", "SETUID", "SETGID"])
def test_without_one_of_its_capabilities_it_does_not_start(place: Scene[Unbound], tmp_path: Path, without: str) -> None:
    values = {"resolver": {"handoverPath": str(tmp_path)}}
    with (
        installed(place.lab.node, tmp_path / "run", values, without) as resolver,
        pytest.raises(AssertionError, match="ended"),
    ):
        resolver.succeed()
