import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.lab.waiting import until
from tests.unit.webhook.api import FakeCluster
from webhook.cluster import ClusterError
from webhook.keeper import Keeper, Names, authorities_of, bundles_of
from webhook.lease import Candidate
from webhook.metrics import Metrics
from webhook.pki import is_verified_by
from webhook.profile import Dns
from webhook.rotation import Timings
from webhook.serving import Serving
from webhook.state import State

NAMES = Names("ns", "ca", "lease", "nodelocaldns-webhook", ("webhook.ns.svc",))
SECRET, LEASE = "/api/v1/namespaces/ns/secrets/ca", "/apis/coordination.k8s.io/v1/namespaces/ns/leases/lease"


class Replica:
    def __init__(self, cluster: FakeCluster, name: str, names: Names = NAMES) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.state, self.serving, self.metrics = State(Dns()), Serving(), Metrics()
        self.keeper = Keeper(
            names, Timings(timedelta(days=360)), cluster, Candidate(name), self.serving, self.state, self.metrics,
            wall=lambda: self.now,
        )  # fmt: skip

    async def settle(self) -> int:
        looks = 0
        while await self.keeper.look():
            looks += 1
        return looks


@pytest.fixture
def cluster() -> FakeCluster:
    fake = FakeCluster()
    fake.register()
    return fake


def test_a_lone_replica_brings_everything_up(cluster: FakeCluster) -> None:
    one = Replica(cluster, "one")
    asyncio.run(one.settle())
    assert cluster.objects[SECRET]["type"] == "Opaque"
    assert one.state.published
    assert all(is_verified_by(one.serving.chain, each) for each in one.state.published)
    assert one.serving.is_valid(one.now)
    assert one.metrics.registry.get_sample_value("nodelocaldns_webhook_api_server_up") == 1


def test_only_one_of_two_replicas_writes(cluster: FakeCluster) -> None:
    async def both() -> None:
        one, two = Replica(cluster, "one"), Replica(cluster, "two")
        await one.settle()
        cluster.writes.clear()
        assert await two.settle() == 0
        assert cluster.writes == []
        assert is_verified_by(two.serving.chain, one.state.published[0] if one.state.published else "")
        await one.keeper.release()
        one.now = two.now = one.now + timedelta(days=200)
        assert await two.settle() > 0
        assert cluster.objects[LEASE]["spec"]["holderIdentity"] == "two"

    asyncio.run(both())


def test_a_rotation_takes_a_new_leaf_into_use(cluster: FakeCluster) -> None:
    async def rotate() -> None:
        one = Replica(cluster, "one")
        await one.settle()
        first = one.serving.chain
        one.now += timedelta(days=181)
        await one.settle()
        assert one.serving.chain == first
        one.now += timedelta(minutes=1)
        await one.settle()
        assert one.serving.chain != first

    asyncio.run(rotate())


def test_somebody_faster_is_no_error(cluster: FakeCluster) -> None:
    async def race() -> None:
        one = Replica(cluster, "one")
        cluster.conflicts = 1
        assert not await one.keeper.look()
        cluster.conflicts = 0
        await one.keeper.look()
        cluster.objects.pop(SECRET, None)
        cluster.objects[LEASE]["spec"]["holderIdentity"] = "one"
        await one.settle()
        assert one.state.troubles == {}

    asyncio.run(race())


def test_a_conflict_about_the_secret_is_looked_at_again(cluster: FakeCluster) -> None:
    async def race() -> None:
        one = Replica(cluster, "one")
        await one.keeper.look()
        cluster.objects.pop(SECRET)
        real = cluster._write

        def faster(path: str, document: dict[str, Any]) -> dict[str, Any]:
            if path == SECRET:
                cluster._write = real  # type: ignore[method-assign]
                raise ClusterError(409, "somebody was faster")
            return real(path, document)

        cluster._write = faster  # type: ignore[method-assign]
        await one.keeper.look()
        assert SECRET not in cluster.objects
        await one.settle()
        assert SECRET in cluster.objects

    asyncio.run(race())


def test_an_api_server_that_is_away_changes_nothing_and_is_told(cluster: FakeCluster) -> None:
    async def away() -> None:
        one = Replica(cluster, "one")
        await one.settle()
        before = one.serving.chain, one.state.published
        cluster.away = True
        assert not await one.keeper.look()
        one.now += timedelta(seconds=10)
        assert not await one.keeper.look()
        assert (one.serving.chain, one.state.published) == before
        assert one.state.troubles["API server"].endswith("last known values hold, since 2026-11-01T00:00:00Z")
        await one.keeper.release()
        cluster.away = False
        await one.keeper.look()
        assert one.state.troubles == {}

    asyncio.run(away())


@pytest.mark.parametrize("forbidden", [SECRET, LEASE])
def test_what_may_not_be_written_is_told(cluster: FakeCluster, forbidden: str) -> None:
    async def refused() -> None:
        one = Replica(cluster, "one")
        real = cluster._write

        def refuse(path: str, document: dict[str, Any]) -> dict[str, Any]:
            if path == forbidden:
                raise ClusterError(403, "forbidden")
            return real(path, document)

        cluster._write = refuse  # type: ignore[method-assign]
        assert not await one.keeper.look()
        assert "forbidden" in one.state.troubles["API server"]

    asyncio.run(refused())


def test_in_mode_files_a_keeper_only_looks(cluster: FakeCluster) -> None:
    one = Replica(cluster, "one", Names("ns", "ca", "lease", "nodelocaldns-webhook"))
    assert asyncio.run(one.settle()) == 0
    assert (cluster.writes, one.state.published) == ([], ("", ""))


def test_a_keeper_runs_until_it_is_cancelled(cluster: FakeCluster) -> None:
    async def run() -> None:
        one = Replica(cluster, "one")
        task = asyncio.create_task(one.keeper.run())
        await until(lambda: one.state.published and is_verified_by(one.serving.chain, one.state.published[0]))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_bundles_that_are_missing_or_garbage_are_empty() -> None:
    garbage = {"webhooks": [{}, {"clientConfig": {"caBundle": "%"}}, {"clientConfig": {"caBundle": "/w=="}}]}
    assert bundles_of(garbage) == ("", "", "")
    assert bundles_of(None) == ()
    assert authorities_of({"data": {"authorities.json": base64.b64encode(b"{").decode()}}) == ()
    assert authorities_of(None) == ()
