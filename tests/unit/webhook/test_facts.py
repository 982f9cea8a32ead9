import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lab.waiting import until
from tests.unit.webhook.api import FakeCluster
from webhook import discovery
from webhook.discovery import Discovery, addresses_of
from webhook.files import Files
from webhook.metrics import Metrics
from webhook.pki import new_authority, new_leaf
from webhook.profile import Dns
from webhook.serving import Serving
from webhook.state import State
from webhook.values import Cluster, Tls, TlsMode

NOW = datetime.now(UTC)
SERVICES = "/api/v1/namespaces/kube-system/services"


def service(*addresses: str) -> dict[str, Any]:
    return {"spec": {"clusterIP": addresses[0], "clusterIPs": list(addresses)}}


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


@pytest.mark.parametrize(
    ("spec", "addresses"),
    [
        ({"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10", "fd00::A"]}, ("10.96.0.10", "fd00::a")),
        ({"clusterIP": "10.96.0.10"}, ("10.96.0.10",)),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ()),
        ({}, ()),
        ({"clusterIPs": ["10.0.0.1", "10.0.0.2", "10.0.0.3"]}, ("10.0.0.1", "10.0.0.2")),
    ],
)
def test_the_addresses_of_a_service(spec: dict[str, Any], addresses: tuple[str, ...]) -> None:
    assert addresses_of({"spec": spec}) == addresses


def test_the_cluster_dns_is_found_followed_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PAUSE_SECONDS", 0.001)

    async def follow() -> None:
        state, cluster = State(Dns()), FakeCluster()
        cluster.objects[SERVICES] = {"items": [], "metadata": {"resourceVersion": "1"}}
        task = asyncio.create_task(Discovery(state, Cluster(), cluster).run())
        await until(lambda: "does not exist" in state.troubles.get(discovery.PART, ""))
        cluster.events.put_nowait({"type": "BOOKMARK", "object": {}})
        cluster.events.put_nowait({"type": "ADDED", "object": service("10.96.0.10")})
        await until(lambda: list(state.dns.cluster_dns) == ["10.96.0.10"])
        assert state.troubles == {}
        cluster.events.put_nowait({"type": "MODIFIED", "object": service("10.96.0.11", "fd00::11")})
        await until(lambda: list(state.dns.cluster_dns) == ["10.96.0.11", "fd00::11"])
        cluster.events.put_nowait({"type": "DELETED", "object": service("10.96.0.11")})
        cluster.away = True
        cluster.events.put_nowait(None)
        await until(lambda: "is away" in state.troubles.get(discovery.PART, ""))
        assert list(state.dns.cluster_dns) == ["10.96.0.11", "fd00::11"]
        cluster.objects[SERVICES] = {"items": [service("10.96.0.12")], "metadata": {}}
        cluster.away = False
        await until(lambda: list(state.dns.cluster_dns) == ["10.96.0.12"])
        assert state.troubles == {}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(follow())


def test_files_are_taken_when_both_belong_together(tmp_path: Path) -> None:
    tls = Tls(TlsMode.FILES, str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    authority = new_authority(NOW, timedelta(days=1))
    first, second = (new_leaf(authority, [name], NOW) for name in ("first", "second"))

    async def replace() -> None:
        state, serving = State(Dns()), Serving()
        files = Files(tls, serving, state, Metrics(), interval_seconds=0.005)
        files.start()
        assert "not usable" in state.troubles["certificate files"]
        write(tls.cert_file, first.certificate)
        write(tls.key_file, first.key)
        await until(lambda: serving.chain == first.certificate and not state.troubles)
        write(tls.cert_file, second.certificate)
        await until(lambda: "not usable" in state.troubles.get("certificate files", ""))
        assert serving.chain == first.certificate
        write(tls.key_file, second.key)
        await until(lambda: serving.chain == second.certificate and not state.troubles)
        files.close()

    asyncio.run(replace())


def test_a_trouble_keeps_the_time_when_it_began() -> None:
    state = State(Dns())
    assert state.trouble("part", "broken", NOW)
    assert not state.trouble("part", "broken", NOW + timedelta(hours=1))
    assert state.troubles["part"] == f"broken, since {NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert state.trouble("part", "broken otherwise", NOW)
    assert state.well("part")
    assert not state.well("part")
