import asyncio
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.lab.waiting import until
from tests.unit.webhook.api import FakeCluster
from webhook import main as composition
from webhook.__main__ import main
from webhook.cluster import Cluster, ClusterError, is_reachable
from webhook.pki import new_authority, new_leaf
from webhook.schema import load
from webhook.service import Service

LOOPBACK = 'listen: {address: 127.0.0.1, drain: "0s"}\nadmin: {address: 127.0.0.1}\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in mode files with a certificate, and no cluster around."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    now = datetime.now(UTC)
    leaf = new_leaf(new_authority(now, timedelta(days=1)), ["127.0.0.1"], now)
    (tmp_path / "tls.crt").write_text(leaf.certificate)
    (tmp_path / "tls.key").write_text(leaf.key)
    path = tmp_path / "webhook.yaml"
    files = {"mode": "files", "certFile": str(tmp_path / "tls.crt"), "keyFile": str(tmp_path / "tls.key")}
    path.write_text(LOOPBACK + yaml.safe_dump({"tls": files, "dns": {"clusterDNS": ["10.96.0.10"]}}))
    return path


def test_check_is_silent_about_a_good_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config), "--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "webhook.yaml"
    path.write_text("dns: {ndots: two}")
    assert main(["--config", str(path), "--check"]) == 2
    assert f"{path}: dns.ndots: expected a number" in capsys.readouterr().err
    assert main(["--config", str(tmp_path / "none.yaml"), "--check"]) == 2
    assert "none.yaml: No such file" in capsys.readouterr().err


def test_version_and_help_name_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as ended:
            main([option])
        assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("nodelocaldns-webhook ")


@pytest.mark.parametrize(("what", "documents"), [("policy", 4), ("guard", 4), ("registration", 1)])
def test_manifests_are_printed(config: Path, capsys: pytest.CaptureFixture[str], what: str, documents: int) -> None:
    assert main(["--config", str(config), "--print", what]) == 0
    assert len(list(yaml.safe_load_all(capsys.readouterr().out))) == documents


def test_a_policy_without_addresses_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "webhook.yaml").write_text("")
    assert main(["--config", str(tmp_path / "webhook.yaml"), "--print", "policy"]) == 2
    assert "dns.clusterDNS must be given" in capsys.readouterr().err


@pytest.mark.parametrize(("pods", "status"), [([], 0), ([{"name": "old", "namespace": "shop"}], 1)])
def test_the_audit_prints_a_table_and_tells_by_its_status(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pods: list[Any], status: int
) -> None:
    cluster = FakeCluster()
    asks = {"annotations": {"nodelocaldns.io/inject": "true"}}
    cluster.objects["/api/v1/pods"] = {"items": [{"metadata": {**pod, **asks}, "spec": {}} for pod in pods]}
    cluster.objects["/api/v1/namespaces"] = {}

    async def connect() -> FakeCluster:
        return cluster

    monkeypatch.setattr(Cluster, "connect", connect)
    assert main(["--config", str(config), "--audit"]) == status
    assert ("old  not-called" in capsys.readouterr().out) == bool(status)
    assert cluster.closed


def test_the_audit_without_a_cluster_ends_with_2(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config), "--audit"]) == 2
    assert "no credentials for the API server" in capsys.readouterr().err


def test_mode_self_needs_a_cluster(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(LOOPBACK)
    assert main(["--config", str(config)]) == 1
    assert "no credentials for the API server" in capsys.readouterr().err


def test_the_webhook_runs_until_sigterm_and_ends_clean(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def start(self: Service) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self: Service) -> None:
        ended.append(self.state.draining)

    monkeypatch.setattr(Service, "start", start)
    monkeypatch.setattr(Service, "stop", stop)
    assert main(["--config", str(config)]) == 0
    assert ended == [True]


def test_a_part_that_fails_ends_the_process(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("a mistake")

    async def run() -> None:
        service = Service(load(LOOPBACK, "f"), None)
        service._spawn(fail(), "part")
        await service.failed.wait()
        await service.stop()

    asyncio.run(run())
    assert "a part of the webhook failed" in caplog.text


def test_a_failed_part_is_told_by_the_status(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(self: Service) -> None:
        self.failed.set()

    monkeypatch.setattr(Service, "start", start)
    assert composition.run_service(load(config.read_text(), "f")) == 1


def test_a_service_with_a_cluster_comes_up_and_goes() -> None:
    async def run() -> None:
        cluster = FakeCluster()
        cluster.register()
        cluster.objects["/api/v1/namespaces/kube-system/services"] = {"items": [{"spec": {"clusterIP": "10.96.0.10"}}]}
        free = LOOPBACK.replace("127.0.0.1,", "127.0.0.1, port: 18443,").replace(
            "127.0.0.1}", "127.0.0.1, port: 19254}"
        )
        free = free.replace('drain: "0s"', 'drain: "500ms"')  # the Lease is given up for good, and not for a look
        service = Service(load(free, "f"), cluster)
        await service.start()
        state = service.state
        await until(lambda: state.dns.cluster_dns and state.published and all(state.published))
        await service.drain()
        await service.stop()
        assert service.state.draining
        assert cluster.closed
        leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases/nodelocaldns-webhook"
        assert cluster.objects[leases]["spec"]["holderIdentity"] == ""

    asyncio.run(run())


def test_a_service_in_mode_files_reads_them_and_needs_no_cluster(config: Path) -> None:
    loaded = load(config.read_text(), "f")

    async def run() -> None:
        service = await Service.connect(loaded)
        await service.start()
        assert service._serving.chain
        await service.stop()

    assert not is_reachable()
    asyncio.run(run())


class Api:
    """An HTTP server that says what it is told to."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.port = 0
        self._config = tmp_path / "kubeconfig"
        monkeypatch.setenv("KUBECONFIG", str(self._config))

    async def _handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, request.headers.get("Authorization", "")))
        return web.Response(status=self.answer[0], body=self.answer[1], content_type="application/json")

    def run(self, work: Any) -> None:
        async def serve() -> None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = self.port or runner.addresses[0][1]
            self._config.write_text(
                json.dumps(
                    {
                        "apiVersion": "v1",
                        "kind": "Config",
                        "current-context": "c",
                        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                        "users": [{"name": "u", "user": {"token": "secret"}}],
                    }
                )
            )
            cluster = await Cluster.connect()
            try:
                await work(cluster)
            finally:
                await cluster.close()
                await runner.cleanup()

        asyncio.run(serve())


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(tmp_path, monkeypatch)


def test_calls_carry_the_credentials_and_own_only_their_fields(api: Api) -> None:
    async def work(cluster: Cluster) -> None:
        await cluster.get("/api/v1/pods", {"limit": "5"})
        await cluster.create("/api/v1/pods", {})
        await cluster.replace("/api/v1/pods/a", {})
        await cluster.apply("/api/v1/pods/a", {})

    api.run(work)
    assert {authorization for _, _, authorization in api.asked} == {"Bearer secret"}
    assert [f"{method} {path}" for method, path, _ in api.asked] == [
        "GET /api/v1/pods?limit=5",
        "POST /api/v1/pods",
        "PUT /api/v1/pods/a",
        "PATCH /api/v1/pods/a?fieldManager=nodelocaldns-webhook&force=true",
    ]


def test_refusals_are_told_with_their_status(api: Api) -> None:
    async def work(cluster: Cluster) -> None:
        api.answer = 404, b'{"message": "not there"}'
        assert await cluster.find("/a") is None
        api.answer = 403, b'{"message": "forbidden"}'
        with pytest.raises(ClusterError, match="forbidden") as caught:
            await cluster.find("/a")
        assert caught.value.status == 403
        api.answer = 500, b"garbage"
        with pytest.raises(ClusterError, match="status 500"):
            await cluster.get("/a")
        api.answer = 200, b"garbage"
        with pytest.raises(ClusterError):
            await cluster.get("/a")
        api.answer = 200, b"[]"
        assert await cluster.get("/a") == {}

    api.run(work)


def test_nobody_there_is_a_cluster_error(api: Api) -> None:
    api.port = 1  # tcpmux: nobody listens there

    async def work(cluster: Cluster) -> None:
        with pytest.raises(ClusterError) as caught:
            await cluster.get("/a")
        assert caught.value.status == 0

    api.run(work)


def test_a_watch_gives_events_until_it_ends_or_breaks(api: Api) -> None:
    async def work(cluster: Cluster) -> None:
        api.answer = 200, b'{"type": "ADDED", "object": {}}\n{"type": "BOOKMARK", "object": {}}\n'
        events = [event["type"] async for event in cluster.watch("/a", {"resourceVersion": "1"})]
        assert events == ["ADDED", "BOOKMARK"]
        api.answer = 200, b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}\n'
        with pytest.raises(ClusterError, match="too old"):
            [event async for event in cluster.watch("/a", {})]
        api.answer = 200, b"garbage\n"
        with pytest.raises(ClusterError):
            [event async for event in cluster.watch("/a", {})]

    api.run(work)
