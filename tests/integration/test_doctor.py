"""`doctor` on a node in a network namespace, with real servers, a pod, and everything that can be wrong with them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.netns import Namespace
from tests.lab.resolver import REPOSITORY, configuration
from tests.lab.scene import Scene
from tests.lab.servers import Unbound
from tests.lab.topology import CLUSTER_DNS, LOCAL, WORLD_DNS
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("netns", "nft")
Found = dict[str, list[dict[str, Any]]]
CHECKS = ("configuration", "address", "port", "rules", "bypass", "upstream", "resolver")


class Doctor:
    """Runs the command on the node of a lab."""

    def __init__(self, node: Namespace, folder: Path) -> None:
        self._node = node
        self._file = folder / "resolver.yaml"

    def says(self, config: dict[str, Any], *arguments: str) -> tuple[int, Found]:
        """Exit status, and findings by what was looked at."""
        self._file.write_text(yaml.safe_dump(config))
        done = self.run("--config", str(self._file), "--json", *arguments)
        page = json.loads(done.stdout)
        assert page["healthy"] is (done.returncode == 0)
        found: Found = {}
        for finding in page["findings"]:
            assert finding["fix"] or finding["state"] == "ok", "every trouble comes with what helps"
            found.setdefault(finding["check"], []).append(finding)
        return done.returncode, found

    def finds_nothing(self, config: dict[str, Any], *arguments: str) -> Found:
        """Findings once there is nothing to complain about: the command waits for a second at most for each answer, and
        the machine may be busy.
        """

        def healthy() -> Found | None:
            status, found = self.says(config, *arguments)
            return found if not status and all(set(states(found, check)) == {"ok"} for check in CHECKS) else None

        return wait_until(healthy, "nothing to complain about")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "resolver", "doctor", *arguments]
        return self._node.run("env", "-C", str(REPOSITORY), *command, timeout_seconds=120.0)


@pytest.fixture
def doctor(debian: Scene[Unbound], tmp_path: Path) -> Doctor:
    return Doctor(debian.lab.node, tmp_path)


@pytest.fixture
def running(debian: Scene[Unbound]) -> Iterator[dict[str, Any]]:
    """The configuration of a resolver that runs with rules."""
    config = configuration(node={"notrack": True})
    with debian.resolver(config) as resolver:
        yield config
        resolver.stop()  # it takes its rules with it


def states(found: Found, check: str) -> list[str]:
    return [finding["state"] for finding in found[check]]


def test_on_a_node_where_all_is_well_nothing_is_a_problem(
    doctor: Doctor, running: dict[str, Any], debian: Scene[Unbound]
) -> None:
    with in_pod(debian.lab.pod) as pid:
        found = doctor.finds_nothing(running, "--pod", debian.lab.pod.name)
        by_process = doctor.finds_nothing(running, "--pod", str(pid))
    for check in CHECKS:
        assert set(states(found, check)) == {"ok"}, found[check]
    assert [finding["says"].split()[0] for finding in found["upstream"]] == [f"{CLUSTER_DNS}:53", f"{WORLD_DNS}:53"]
    assert f"asks {LOCAL}" in found["pod"][0]["says"]
    assert "no second nameserver" in found["pod"][1]["says"]
    assert [finding["state"] for finding in found["pod"][2:]].count("ok") >= 2
    assert "look as root" not in str(by_process["pod"])
    text = doctor.run("--config", str(doctor._file)).stdout
    assert "ok       address           169.254.20.10 is an address of this network\n" in text
    assert text.rstrip().endswith("ok")


def in_pod(pod: Namespace) -> "subprocess.Popen[bytes]":
    """A process in the pod, as `with` gives its ID."""
    return _Sleeper(pod)  # type: ignore[return-value]


class _Sleeper:
    def __init__(self, pod: Namespace) -> None:
        self._pod = pod

    def __enter__(self) -> int:
        self._process = subprocess.Popen(self._pod.command("sleep", "60"))
        comm = Path(f"/proc/{self._process.pid}/comm")
        wait_until(lambda: comm.read_text() == "sleep\n", "the pod's program")
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def test_without_a_resolver_it_says_that_nobody_listens_and_servers_are_asked_all_the_same(doctor: Doctor) -> None:
    status, found = doctor.says(configuration(node={"notrack": True}))
    assert status == 1
    assert states(found, "address") == ["ok", "ok"]
    assert "nobody listens at 169.254.20.10 port 53" in found["port"][0]["says"]
    assert "nftables has 0 of" in found["rules"][0]["says"]
    assert "bypass" not in found
    assert states(found, "upstream") == ["ok", "ok"]
    assert set(states(found, "resolver")) == {"problem"}


def test_an_address_that_is_nowhere_and_a_file_with_a_mistake_are_said(doctor: Doctor) -> None:
    config = configuration()
    config["listen"]["addresses"] = ["169.254.20.77"]
    status, found = doctor.says(config)
    assert status == 1
    assert "169.254.20.77 is on no interface here" in found["address"][0]["says"]
    assert "ip address add 169.254.20.77 dev lo" in found["address"][0]["fix"]
    config["node"] = {"manageInterface": True}
    assert "NET_ADMIN" in doctor.says(config)[1]["address"][0]["fix"]
    config["colour"] = "red"
    status, found = doctor.says(config)
    assert (status, list(found)) == (2, ["configuration"])
    assert "colour: unknown key" in found["configuration"][0]["says"]


def test_who_holds_the_port_is_named(doctor: Doctor, debian: Scene[Unbound]) -> None:
    script = "import socket,time\ns=socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('0.0.0.0',53))\ntime.sleep(60)"
    other = subprocess.Popen(debian.lab.node.command(sys.executable, "-c", script))
    try:
        config = configuration()
        found = doctor.says(config)[1]
        while "nobody" in found["port"][0]["says"]:
            found = doctor.says(config)[1]
        assert f"(process {other.pid}), listening at 0.0.0.0" in found["port"][0]["says"]
        assert "stop python" in found["port"][0]["fix"]
    finally:
        other.kill()
        other.wait()


def test_missing_rules_and_a_bypass_that_fails_are_found(
    doctor: Doctor, running: dict[str, Any], debian: Scene[Unbound]
) -> None:
    node = debian.lab.node
    node.run("nft", "add table inet follow; add chain inet follow in { type filter hook input priority 0; }; "
             "add rule inet follow in ct state established accept")  # fmt: skip
    elsewhere = {**running, "node": {"notrack": True}, "listen": {"addresses": ["127.0.0.9", LOCAL], "port": 53}}
    try:
        status, found = doctor.says(elsewhere)
    finally:
        node.run("nft", "delete", "table", "inet", "follow")
    assert status == 1
    assert states(found, "rules") == ["problem"]  # other rules than these addresses want
    assert states(found, "bypass") == ["problem"]
    assert "127.0.0.9" in found["bypass"][0]["says"]


def test_what_is_wrong_with_upstreams_is_told_apart(doctor: Doctor, debian: Scene[Unbound], tmp_path: Path) -> None:
    empty = tmp_path / "resolv.conf"
    empty.write_text("search example.com\n")
    looping = tmp_path / "looping.conf"
    looping.write_text(f"nameserver {LOCAL}\n")
    zones = [
        {"names": ["gone.example"], "upstreams": ["192.0.2.99"], "transport": "udp"},
        {"names": ["closed.example"], "upstreams": [f"{WORLD_DNS}:54"]},
        {"names": ["tls.example"], "upstreams": [f"{WORLD_DNS}:53"], "transport": "tls"},
        {"names": ["itself.example"], "upstreams": [str(looping)]},
        {"names": ["."], "upstreams": [str(empty), "/nowhere/resolv.conf"]},
    ]
    drop = (
        "add table inet deaf; add chain inet deaf in { type filter hook input priority 0; }; "
        "add rule inet deaf in tcp dport 53 drop"
    )
    config = {**configuration(), "zones": zones}
    status, found = doctor.says(config)
    assert status == 1, found
    said = "\n".join(finding["says"] for finding in found["upstream"])
    assert f"{LOCAL}:53 is the resolver itself" in said
    assert "192.0.2.99:53 over UDP, for zone gone.example: " in said
    assert f"{WORLD_DNS}:54 over TCP, for zone closed.example: Connection refused" in said
    assert f"{WORLD_DNS}:53 over TLS, for zone tls.example: " in said
    assert f"{empty} names no servers" in said
    assert "/nowhere/resolv.conf, for zone ., cannot be read: No such file or directory" in said
    debian.lab.world.run("nft", drop)
    try:
        found = doctor.says(configuration())[1]
    finally:
        debian.lab.world.run("nft", "delete", "table", "inet", "deaf")
    assert "over UDP it answers" in found["upstream"][1]["says"]
    assert "transport: udp" in found["upstream"][1]["fix"]


def test_a_pod_that_asks_elsewhere_or_cannot_reach_the_resolver_is_told(
    doctor: Doctor, running: dict[str, Any], debian: Scene[Unbound]
) -> None:
    pod = debian.lab.other_pod
    before = pod.resolv_conf()
    pod.write_resolv_conf(f"nameserver {CLUSTER_DNS}\nsearch a.svc.cluster.local svc.cluster.local\noptions ndots:5\n")
    pod.ip("route", "del", f"{LOCAL}/32", "via", "10.244.1.1")
    pod.ip("route", "add", "unreachable", f"{LOCAL}/32")
    try:
        status, found = doctor.says(running, "--pod", pod.name)
    finally:
        pod.ip("route", "del", "unreachable", f"{LOCAL}/32")
        pod.ip("route", "add", f"{LOCAL}/32", "via", "10.244.1.1")
        pod.write_resolv_conf(before)
    assert status == 1
    assert f"asks {CLUSTER_DNS}, and not this node's resolver" in found["pod"][0]["says"]
    assert "nodelocaldns.io/inject" in found["pod"][0]["fix"]
    unreachable = [finding for finding in found["pod"] if LOCAL in finding["says"] and finding["state"] == "problem"]
    assert len(unreachable) == 2
    assert "NetworkPolicy" in unreachable[0]["fix"]


def test_a_pod_that_is_not_there_is_status_2(doctor: Doctor) -> None:
    done = doctor.run("--pod", "nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "--pod nobody: No such file or directory: give a process ID or a network namespace\n"
