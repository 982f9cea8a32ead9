"""What `helm test` finds out: names are looked up, and a pod with the annotation comes back changed."""

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cases.injection import LEAN_DNS_CONFIG
from tests.unit.webhook.admission import decided, patched
from tests.unit.webhook.api import FakeCluster
from webhook import main as composition
from webhook.__main__ import main
from webhook.cluster import Cluster, ClusterError
from webhook.profile import Dns
from webhook.trial import differences, pod, trial
from webhook.values import Config

DNS = Dns(cluster_dns=("10.96.0.10",))
THERE = "kubernetes.default.svc.cluster.local."
INJECTED: dict[str, Any] = {"dnsPolicy": "None", "dnsConfig": LEAN_DNS_CONFIG}


class Admission(FakeCluster):
    """Creates pods with these DNS settings, after that many refusals."""

    def __init__(self, settings: dict[str, Any], refusals: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.refusals = refusals
        self.asked: list[tuple[str, Mapping[str, str] | None]] = []

    async def create(
        self, path: str, document: dict[str, Any], query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        self.asked.append((path, query))
        if len(self.asked) <= self.refusals:
            raise ClusterError(403, 'serviceaccount "default" not found')
        return {**document, "spec": {**document["spec"], **self.settings}}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | int]:
    """What libc says: an address, or a code; without an entry there is no such name."""
    known: dict[str, str | int] = {THERE: "10.96.0.1"}

    def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        found = known.get(name, socket.EAI_NONAME)
        if isinstance(found, int):
            raise socket.gaierror(found, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, 0))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def run(cluster: Cluster | None, dns: Dns = DNS, patience_seconds: float = 0.0) -> tuple[bool, list[str]]:
    return asyncio.run(trial(Config(dns=dns), cluster, "trial-here", patience_seconds))


def test_all_is_well_where_names_are_found_and_the_pod_is_changed(names: dict[str, str | int]) -> None:
    cluster = Admission(INJECTED)
    assert run(cluster) == (
        True,
        [
            "ok      kubernetes.default.svc.cluster.local: 10.96.0.1",
            "ok      no-such-service.default.svc.cluster.local: there is no such name, as it should be",
            "ok      a pod with the annotation: comes back with the nameservers 169.254.20.10, 10.96.0.10",
        ],
    )
    assert cluster.asked == [("/api/v1/namespaces/trial-here/pods", {"dryRun": "All"})]


def test_what_fails_at_first_is_tried_again(names: dict[str, str | int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.trial._PAUSE_SECONDS", 0.0)
    cluster = Admission(INJECTED, refusals=2)
    assert run(cluster, patience_seconds=60.0)[0]
    assert len(cluster.asked) == 3


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({THERE: socket.EAI_AGAIN}, "FAILED  kubernetes.default.svc.cluster.local: cannot be looked up: no answer"),
        ({"no-such-service.default.svc.cluster.local.": socket.EAI_AGAIN}, "cannot be looked up: no answer"),
        ({"no-such-service.default.svc.cluster.local.": "192.0.2.1"}, "should not be there, and is 192.0.2.1"),
    ],
)
def test_a_wrong_answer_to_a_lookup_fails(names: dict[str, str | int], known: dict[str, str | int], line: str) -> None:
    names.update(known)
    well, lines = run(None)
    assert not well
    assert line in "\n".join(lines)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"dnsPolicy": "ClusterFirst"}, "dnsPolicy is 'ClusterFirst', expected 'None'"),
        ({**INJECTED, "dnsConfig": {}}, "dnsConfig.nameservers is None, expected ['169.254.20.10', '10.96.0.10']"),
        (
            {**INJECTED, "dnsConfig": {**LEAN_DNS_CONFIG, "searches": ["cluster.local"]}},
            "dnsConfig.searches is ['cluster.local'], expected ['svc.cluster.local']",
        ),
    ],
)
def test_a_pod_that_comes_back_otherwise_fails(
    names: dict[str, str | int], settings: dict[str, Any], line: str
) -> None:
    well, lines = run(Admission(settings))
    assert not well
    assert line in lines[-1]


def test_discovered_addresses_have_to_be_there_whichever_they_are() -> None:
    discovered = Dns()
    assert differences({"spec": INJECTED}, discovered, "n") == []
    alone = {**INJECTED, "dnsConfig": {**LEAN_DNS_CONFIG, "nameservers": ["169.254.20.10"]}}
    assert differences({"spec": alone}, discovered, "n") == [
        "dnsConfig.nameservers is ['169.254.20.10'], expected ['169.254.20.10', \"(the cluster's DNS)\"]"
    ]


def test_the_pod_of_the_trial_is_one_that_the_webhook_injects() -> None:
    made = pod("plain")
    created = patched(made, decided(made, "plain", DNS).verdict.patch)
    assert differences(created, DNS, "plain") == []
    assert differences(made, DNS, "plain") != []


def test_the_command_says_so_line_by_line(
    names: dict[str, str | int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "webhook.yaml"
    config.write_text("dns: {clusterDNS: [10.96.0.10]}\n")
    assert main(["--config", str(config), "--trial"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    cluster = Admission({})

    async def connect() -> Cluster:
        return cluster

    monkeypatch.setattr(Cluster, "connect", connect)
    monkeypatch.setattr(composition, "PATIENCE_SECONDS", 0.0)
    assert main(["--config", str(config), "--trial", "--namespace", "here"]) == 1
    assert "FAILED  a pod with the annotation" in capsys.readouterr().out
    assert cluster.closed


def test_without_an_api_server_the_command_says_that(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main(["--config", str(config_path), "--trial", "--namespace", "here"]) == 2
    assert "no credentials" in capsys.readouterr().err


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "webhook.yaml"
    path.write_text("{}\n")
    return path
