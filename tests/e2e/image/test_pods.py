"""The chart's pods with the image's files, started by a container runtime: with exactly their rights, and no more."""

import contextlib
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.ask import ask
from tests.lab.helm import one, render
from tests.lab.imaged import Image, ImageContainer, of_workload, started
from tests.lab.loopback import Upstream, load
from tests.lab.netns import Namespace
from tests.lab.reports import report
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.e2e

ADDRESS = "169.254.20.10"
NOBODY = 65532
# <linux/capability.h>
BITS = {"KILL": 5, "SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10, "NET_ADMIN": 12}


def zones(server: Upstream) -> dict[str, Any]:
    asked = {"upstreams": [f"127.0.0.1:{server.port}"], "transport": "udp", "maxTTL": 300}
    return {"dns": {"zones": {"cluster": asked, "default": asked}}}


def page(port: int, path: str) -> int:
    """The status of a page on the node's loopback; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def answers(node: Namespace, address: str, port: int) -> Callable[[], bool]:
    return lambda: ask(node, address, "www.example.com", port=port, patience_seconds=0.3) is not None


@pytest.fixture
def pods(image: Image, node: Namespace, server: Upstream, tmp_path: Path) -> Callable[..., ImageContainer]:
    """Makes containers of the resolver's DaemonSet."""

    def make(name: str, **resolver: Any) -> ImageContainer:
        objects = render(zones(server) | {"resolver": resolver})
        daemon_set = one(objects, "DaemonSet")
        return of_workload(image, node, tmp_path, name, daemon_set, objects, KUBE_DNS_UPSTREAM_SERVICE_HOST="127.0.0.1")

    return make


def test_the_resolver_works_with_the_rights_of_the_chart_and_its_workers_with_none(
    pods: Callable[..., ImageContainer], node: Namespace
) -> None:
    began = time.monotonic()
    with started(pods("resolver"), answers(node, ADDRESS, 53)) as container:
        took = time.monotonic() - began
        wait_until(lambda: container.has_said("started"), "the end of its start")
        supervisor, worker = container.processes()[:2]
        held = sum(1 << BITS[name] for name in container.rights)
        assert {int(status(supervisor)[kind], 16) for kind in ("CapEff", "CapBnd")} == {held}
        assert [status(worker)[kind].strip("0") for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [""] * 4
        assert set(status(worker)["Uid"].split()) == {str(NOBODY)}
        assert status(worker)["NoNewPrivs"] == "1"
        assert f"inet {ADDRESS}/32" in node.run("ip", "address").stdout
        assert ADDRESS in node.run("nft", "list", "ruleset").stdout
        assert (page(9253, "/health"), page(9253, "/ready")) == (200, 200)
        memory = sum(int(status(pid)["RssAnon"].split()[0]) for pid in (supervisor, worker))
        # A worker that stands still is killed by a supervisor that is another user.
        subprocess.run(["kill", "-STOP", str(worker)], check=True)
        wait_until(lambda: len(now := container.processes()) > 1 and worker not in now, "another worker")
        wait_until(answers(node, ADDRESS, 53), "its answers")
        assert container.stop() == 0
    assert ADDRESS not in node.run("ip", "address").stdout + node.run("nft", "list", "ruleset").stdout
    report("image-resolver", [{"form": "node", "first answer, ms": took * 1000, "memory of its own, KiB": memory}])


def test_a_new_pod_takes_over_from_the_old_one_and_no_question_is_lost(
    pods: Callable[..., ImageContainer], node: Namespace
) -> None:
    with contextlib.ExitStack() as ending:
        old = ending.enter_context(started(pods("old"), answers(node, ADDRESS, 53)))
        wait_until(lambda: old.has_said("started"), "the end of its start")
        with load(53, address=ADDRESS) as seen:
            new = pods("new")
            ending.enter_context(started(new, lambda: new.has_said("started")))
            wait_until(lambda: len(old.processes()) == 1, "the end of the old workers")
            assert old.stop() == 0
        assert (seen.lost, seen.wrong) == (0, [])
        assert f"inet {ADDRESS}/32" in node.run("ip", "address").stdout
        assert new.stop() == 0
    assert ADDRESS not in node.run("ip", "address").stdout


def test_in_the_pod_network_the_resolver_needs_no_right_at_all(
    pods: Callable[..., ImageContainer], node: Namespace
) -> None:
    pod = pods("unprivileged", mode="podNetwork")
    assert (pod.user, pod.rights) == (NOBODY, [])
    began = time.monotonic()
    with started(pod, answers(node, "127.0.0.1", 8053)):
        took = time.monotonic() - began
        wait_until(lambda: page(9253, "/ready") == 200, "/ready")
        for pid in pod.processes():
            assert {status(pid)[kind].strip("0") for kind in ("CapEff", "CapPrm", "CapBnd")} == {""}
            assert status(pid)["NoNewPrivs"] == "1"
            assert set(status(pid)["Uid"].split()) == {str(NOBODY)}
        assert pod.run("nodelocaldns-healthcheck").returncode == 0
        assert pod.stop() == 0
    report("image-unprivileged", [{"form": "pod network", "first answer, ms": took * 1000}])


@pytest.fixture
def webhook(image: Image, node: Namespace, tmp_path: Path) -> Iterator[ImageContainer]:
    values = {"dns": {"clusterDNS": "10.96.0.10"}, "webhook": {"tls": {"mode": "files", "secretName": "given"}}}
    objects = render(values)
    container = of_workload(image, node, tmp_path, "webhook", one(objects, "Deployment"), objects)
    folder = container.mounts["/tls"][0]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=webhook", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")],
        capture_output=True, check=True,
    )  # fmt: skip
    (folder / "tls.key").chmod(0o644)  # as a Secret under fsGroup: its owner is not who reads it
    with started(container, lambda: page(9254, "/healthz") == 200):
        yield container


def test_the_webhook_runs_without_any_right_and_calls_itself_well(webhook: ImageContainer) -> None:
    assert (webhook.user, webhook.rights) == (NOBODY, [])
    wait_until(lambda: page(9254, "/readyz") == 200, "/readyz")
    found = status(webhook.processes()[0])
    assert set(found["Uid"].split()) == {str(NOBODY)}
    assert {found[kind].strip("0") for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")} == {""}
    assert found["NoNewPrivs"] == "1"
    assert webhook.run("nodelocaldns-healthcheck").returncode == 0
    assert webhook.stop() == 0


def test_a_program_that_is_not_well_fails_its_check(pods: Callable[..., ImageContainer], node: Namespace) -> None:
    asleep = pods("asleep", mode="podNetwork")
    asleep.spec["command"] = ["python3", "-c", "import time; time.sleep(60)"]
    asleep.spec["args"] = []
    with started(asleep, lambda: asleep.run("python3", "-c", "").returncode == 0):
        assert asleep.run("nodelocaldns-healthcheck").returncode == 1
