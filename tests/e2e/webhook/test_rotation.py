"""Certificates change and replicas go while pods are created: every single one of them is injected."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cases.injection import CASES
from tests.lab.apiserver import ApiServer
from tests.lab.waiting import wait_until
from tests.lab.webhook import ServiceAddress, Webhook, is_injected, register, webhooks

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]

POD = CASES[0].pod("stream-")
ROTATIONS = 10
FAST = {"tls": {"mode": "self", "names": ["127.0.0.1"], "caLifetime": "8s"}}
CREATORS = 3


class Stream:
    """Pods that are created one after another on several connections; what went wrong is kept."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._stop = threading.Event()
        self.created = 0
        self.wrong: list[Any] = []

    def create(self) -> None:
        while not self._stop.is_set():
            reply = self._api.create_pod("plain", POD, "?dryRun=All")
            if reply.status != 201 or not is_injected(reply.document):
                self.wrong.append((reply.status, reply.document))
            self.created += 1

    @contextmanager
    def running(self) -> Iterator["Stream"]:
        threads = [threading.Thread(target=self.create) for _ in range(CREATORS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


def rotations(webhook: Webhook) -> float:
    return webhook.metric("nodelocaldns_webhook_certificate_replacements_total") - 1


def published(api: ApiServer) -> str:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"
    bundles = {entry["clientConfig"].get("caBundle", "") for entry in api.must("GET", path)["webhooks"]}
    return bundles.pop() if len(bundles) == 1 else ""


def injects(api: ApiServer) -> bool:
    return is_injected(api.create_pod("plain", POD, "?dryRun=All").document)


def test_ten_rotations_under_load_miss_no_pod(api: ApiServer, tmp_path: Path) -> None:
    with webhooks(api, tmp_path, "rotating", **FAST) as (webhook,):
        register(api, webhook.port)
        webhook.wait_until_ready()
        wait_until(lambda: injects(api), "the first injection")
        bundles = {published(api)}

        def ten_more() -> bool:
            bundles.add(published(api))
            return rotations(webhook) >= ROTATIONS

        with Stream(api).running() as stream:
            wait_until(ten_more, f"{ROTATIONS} rotations", 120.0)
        assert stream.wrong == []
        assert stream.created > 100
        assert len(bundles) > ROTATIONS


def test_of_two_replicas_one_leaves_under_load_and_no_pod_is_missed(api: ApiServer, tmp_path: Path) -> None:
    slower: dict[str, dict[str, Any]] = {
        "tls": {**FAST["tls"], "caLifetime": "30s"},
        "listen": {"drain": "10s"},
    }  # longer than anybody stands still
    with ServiceAddress() as service, webhooks(api, tmp_path, "one", "two", **slower) as replicas:
        service.endpoints = [replica.port for replica in replicas]
        register(api, service.port)
        for replica in replicas:
            replica.wait_until_ready()
        wait_until(lambda: injects(api), "the first injection")
        leader, other = sorted(replicas, key=lambda it: "caBundle was published" not in it.process.output())
        with Stream(api).running() as stream:
            wait_until(lambda: leader.decisions() > 10 < other.decisions(), "both to be called")
            leader.process.terminate()
            wait_until(lambda: leader.get("/readyz")[0] != 200, "the leader to drain")
            service.endpoints.remove(leader.port)
            assert leader.process.wait() == 0
            before = rotations(other)
            wait_until(lambda: rotations(other) > before, "the other one to lead", 120.0)
        assert stream.wrong == []
        assert stream.created > 100


def test_replicas_share_one_ca_and_one_of_them_writes(api: ApiServer, tmp_path: Path) -> None:
    with webhooks(api, tmp_path, "one", "two") as replicas:
        register(api, replicas[0].port)
        for replica in replicas:
            replica.wait_until_ready()
        writers = [replica for replica in replicas if "caBundle was published" in replica.process.output()]
        lease = api.must("GET", "/apis/coordination.k8s.io/v1/namespaces/nodelocaldns/leases/nodelocaldns-webhook")
        assert len(writers) <= 1
        assert f"_{lease['spec']['holderIdentity'].split('_')[1]}_" in [f"_{it.process.pid}_" for it in replicas]


def test_a_killed_webhook_lets_pods_through_and_the_api_server_counts_them(api: ApiServer, tmp_path: Path) -> None:
    with webhooks(api, tmp_path, "killed") as (webhook,):
        register(api, webhook.port)
        webhook.wait_until_ready()
        wait_until(lambda: injects(api), "the first injection")
        counted = failed_open(api)
        webhook.process.signal(signal.SIGKILL)
        webhook.process.kill()
        reply = api.create_pod("plain", POD)
        assert (reply.status, reply.document["spec"]["dnsPolicy"]) == (201, "ClusterFirst")
        assert failed_open(api) == counted + 1


def test_a_webhook_that_hangs_lets_pods_through(api: ApiServer, tmp_path: Path) -> None:
    with webhooks(api, tmp_path, "hanging") as (webhook,):
        register(api, webhook.port, timeout_seconds=2)
        webhook.wait_until_ready()
        wait_until(lambda: injects(api), "the first injection")
        webhook.process.signal(signal.SIGSTOP)
        reply = api.create_pod("plain", POD)
        assert (reply.status, reply.document["spec"]["dnsPolicy"]) == (201, "ClusterFirst")
        webhook.process.signal(signal.SIGCONT)
        wait_until(lambda: injects(api), "the injection afterwards")


def failed_open(api: ApiServer) -> int:
    text = str(api.call("GET", "/metrics").document["text"])
    wanted = 'apiserver_admission_webhook_fail_open_count{name="pods.nodelocaldns.io"'
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(wanted))
