"""`top` and `advise` on a workload of which everything is known: pods, names, counts and verdicts are right."""

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from resolver.message.framing import frame
from tests.lab.ask import question
from tests.lab.knowing import knowing, steps
from tests.lab.loopback import REPOSITORY, Running, Upstream, configuration, running

KNOWN = {
    "web.shop.svc.cluster.local", "db.data.svc.cluster.local", "api.example.com", "cdn.example.net",
}  # fmt: skip


class Pod(NamedTuple):
    """A pod, what its programs write how often, and what `advise` should say of its workload."""

    address: str
    namespace: str
    name: str
    workload: str
    writes: Mapping[str, int]
    verdict: str
    saved: int
    lean: bool = False
    kind: socket.SocketKind = socket.SOCK_DGRAM
    """What it asks with."""


PODS = (
    Pod("127.0.1.1", "shop", "web-1", "Deployment/web", {"api.example.com": 30, "db.data": 10}, "safe", 100),
    Pod(
        "127.0.1.2",
        "shop",
        "web-2",
        "Deployment/web",
        {"api.example.com": 5, "cdn.example.net": 5},
        "safe",
        30,
        kind=socket.SOCK_STREAM,
    ),
    Pod("127.0.1.3", "shop", "cart-1", "Deployment/cart", {"web": 25, "api.example.com": 20}, "unsafe", 60),
    Pod("127.0.1.4", "data", "job-1", "Job/job", {"api.example.com": 3}, "not enough seen", 9),
    Pod("127.0.1.5", "shop", "new-1", "Deployment/new", {"api.example.com": 40}, "opted in", 0, lean=True),
    Pod("127.0.1.6", "", "127.0.1.6", "127.0.1.6", {"cdn.example.net": 40}, "not enough seen", 0),
)


def asked(sock: socket.socket, query: bytes) -> bytes:
    """The reply, over UDP or TCP."""
    if sock.type == socket.SOCK_DGRAM:
        sock.send(query)
        return sock.recv(4096)
    sock.sendall(frame(query))
    with sock.makefile("rb") as stream:
        return stream.read(int.from_bytes(stream.read(2), "big"))


def play(port: int) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Everything that the pods ask; how often by pod, by name, and by name that does not exist."""
    by_pod: Counter[str] = Counter()
    by_name: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for pod in PODS:
        with socket.socket(type=pod.kind) as sock:
            sock.bind((pod.address, 0))
            sock.settimeout(10)
            sock.connect(("127.0.0.1", port))
            for written, times in pod.writes.items():
                for name in [*steps(written, KNOWN, "" if pod.lean else pod.namespace)] * times:
                    reply = asked(sock, question(name))
                    assert (reply[3] & 15 == 0) == (name in KNOWN)
                    by_pod[pod.name] += 1
                    by_name[name + "."] += 1
                    missing[name + "."] += name not in KNOWN
    return by_pod, by_name, +missing


def command(resolver: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    admin = f"http://127.0.0.1:{resolver.config['admin']['port']}"
    line = [sys.executable, "-m", "resolver", *arguments, "--admin", admin]
    return subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def counted(rows: Sequence[Mapping[str, Any]], key: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found[row[key]] += row["queries"]
    return found


@pytest.fixture
def cluster() -> Iterator[Upstream]:
    with knowing(KNOWN) as server:
        yield server


def test_top_and_advise_tell_the_truth_about_a_known_workload(cluster: Upstream, tmp_path: Path) -> None:
    owners = {
        pod.address: {"namespace": pod.namespace, "pod": pod.name, "workload": pod.workload, "lean": pod.lean}
        for pod in PODS if pod.namespace
    }  # fmt: skip
    (tmp_path / "owners.json").write_text(json.dumps(owners))
    config = configuration(cluster, workers=2)
    config["admin"] |= {"top": True, "ownersFile": str(tmp_path / "owners.json")}
    with running(tmp_path, config) as resolver:
        by_pod, by_name, missing = play(config["listen"]["port"])
        page = json.loads(command(resolver, "top", "--json").stdout)
        assert counted(page["pods"], "pod") == by_pod
        assert counted(page["names"], "name") == by_name
        assert counted(page["missing"], "name") == missing
        assert (page["queries"], page["samples"]) == (by_pod.total(), by_pod.total())
        text = command(resolver, "top", "--once", "--rows", "3").stdout
        assert "shop web-1" in text
        assert "api.example.com.shop.svc.cluster.local." in text

        found = json.loads(command(resolver, "advise", "--json", "--enough", "50").stdout)
        said = {each["workload"]: each["verdict"] for each in found}
        assert said == {pod.workload: pod.verdict for pod in PODS} | {"127.0.1.6": "not enough seen"}
        (cart,) = (each for each in found if each["workload"] == "Deployment/cart")
        assert cart["evidence"][0].startswith("'web' leads to web.shop.svc.cluster.local")
        for each in found:
            pods = [pod for pod in PODS if pod.workload == each["workload"]]
            share = sum(pod.saved for pod in pods) / sum(by_pod[pod.name] for pod in pods)
            assert each["savedPerSecond"] == pytest.approx(share * each["questionsPerSecond"], abs=0.02)
        assert "unsafe" in command(resolver, "advise").stdout

        total = resolver.metric("nodelocaldns_pod_queries_total")
        assert total == resolver.metric("nodelocaldns_namespace_queries_total") == by_pod.total()
        assert resolver.stop() == 0


def test_where_nothing_is_counted_the_commands_say_what_to_do(cluster: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(cluster)) as resolver:
        done = command(resolver, "top")
        assert (done.returncode, "set admin.top to true" in done.stderr) == (1, True)
        assert command(resolver, "advise").returncode == 1
        assert resolver.stop() == 0
    assert command(resolver, "top").returncode == 1
