"""CoreDNS's pods asked themselves, as the real API server says which there are; what replacing all of them costs."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.dig import dig
from tests.lab.dnspods import VIRTUAL, DnsPod, DnsPods, dns_pods, replace_all
from tests.lab.process import first_in_line
from tests.lab.reports import report
from tests.lab.resolver import REPOSITORY, Resolver, configuration
from tests.lab.scene import new_name
from tests.lab.steady import DIGITS, Asked, steady
from tests.lab.topology import LOCAL, OTHER_POD, POD, lab
from tests.lab.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.needs("netns", "nft", "dig", "gcc", "go"), pytest.mark.serial]

CLUSTER = bytes((10, 96, 99, 99))
NEW = Asked(f"{DIGITS.decode()}.fresh.svc.cluster.local", "A", CLUSTER)
PER_SECOND = 1000
IMAGE = {"name": "main", "image": "none"}


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsPods]:
    with first_in_line(), lab() as places, dns_pods(places, tmp_path_factory.mktemp("pods")) as made:
        yield made


@contextlib.contextmanager
def running(pods: DnsPods, count: int, lame_seconds: float = 0) -> Iterator[list[DnsPod]]:
    """So many ready pods."""
    made = [pods.pod(lame_seconds) for _ in range(count)]
    with contextlib.ExitStack() as ending:
        for pod in made:
            ending.callback(pod.gone)
            pod.start()
        pods.publish(made)
        yield made


@contextlib.contextmanager
def resolver(pods: DnsPods, folder: Path, token: str = "", **topics: dict[str, object]) -> Iterator[Resolver]:
    """One that asks the pods themselves."""
    config = configuration(
        cluster={"upstreams": pods.upstreams(), "timeout": "4s"},
        kubernetes=pods.settings(token),
        node={"user": "nobody"},
        **topics,
    )
    made = Resolver(pods.lab.node, folder, config)
    try:
        made.start()
        yield made
    finally:
        made.process.kill()


def asked(one: Resolver) -> set[str]:
    """The endpoints that are asked now."""
    found = one.events("endpoints changed")
    return set(str(found[-1]["servers"]).split(", ")) - {""} if found else set()


def addresses(pods: list[DnsPod]) -> set[str]:
    return {pod.address for pod in pods}


def test_replacing_all_of_coredns_fails_no_question(pods: DnsPods, tmp_path: Path) -> None:
    with running(pods, 2, lame_seconds=0.5) as old, resolver(pods, tmp_path) as one, contextlib.ExitStack() as ending:
        wait_until(lambda: asked(one) == addresses(old), "the endpoints")
        new = [pods.pod(0.5) for _ in old]
        for pod in new:
            ending.callback(pod.gone)
        with steady(tmp_path, [pods.lab.pod], LOCAL, [NEW], per_second=PER_SECOND) as load:
            load.go_on(PER_SECOND)
            replace_all(pods, old, new, 0.5)
            load.go_on(PER_SECOND)
        wait_until(lambda: asked(one) == addresses(new), "the new endpoints")
        assert one.metric("nodelocaldns_service_endpoints", state="asked") == 2
        result = load.all()
    assert result.failed == 0, result
    report("endpoints", [{"asked": result.asked, "failed": result.failed, "slowest, ms": result.slowest / 1000}])


def test_without_the_right_to_watch_the_address_of_the_service_is_asked(pods: DnsPods, tmp_path: Path) -> None:
    with running(pods, 1), resolver(pods, tmp_path, token=pods.api.webhook_token) as one:
        wait_until(lambda: one.events("the API server cannot be watched"), "the refusal")
        assert dig(pods.lab.pod, new_name("svc.cluster.local")).status == "NOERROR"
        assert one.metric("nodelocaldns_cluster_watching") == 0
        assert one.metric("nodelocaldns_upstream_connections", to=f"{VIRTUAL}:53") == 1


def test_who_asks_is_known_by_the_pods_of_this_node_alone(pods: DnsPods, tmp_path: Path) -> None:
    for name, node, address in (("web-1", "real", POD), ("far-1", "elsewhere", OTHER_POD)):
        pods.api.create_pod("default", {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [IMAGE]}})
        path = f"/api/v1/namespaces/default/pods/{name}"
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        pods.api.must("PUT", f"{path}/status", {**pods.api.must("GET", path), "status": status})
    config = configuration(
        cluster={"upstreams": pods.upstreams()}, kubernetes={**pods.settings(), "pods": True}, node={"user": "nobody"}
    )
    config["admin"]["top"] = True
    with running(pods, 1), contextlib.ExitStack() as ending:
        one = Resolver(pods.lab.node, tmp_path, config)
        ending.callback(one.process.kill)
        one.start()
        wait_until(lambda: one.events("watching"), "the pods")

        def known() -> bool:
            dig(pods.lab.pod, "web.shop.svc.cluster.local")
            return "web-1" in owners(pods)

        wait_until(known, "the owner")
        dig(pods.lab.other_pod, "web.shop.svc.cluster.local")
        assert owners(pods) >= {"web-1", OTHER_POD}
        assert "far-1" not in owners(pods)


def owners(pods: DnsPods) -> set[str]:
    """Who has asked, by `top` on the node."""
    command = (sys.executable, "-m", "resolver", "top", "--json")
    done = subprocess.run(pods.lab.node.command(*command), capture_output=True, check=True, cwd=REPOSITORY)
    return {row["pod"] for row in json.loads(done.stdout)["pods"]}


def test_answers_go_on_without_the_api_server_and_what_it_missed_is_made_up_for(pods: DnsPods, tmp_path: Path) -> None:
    with running(pods, 2) as known, resolver(pods, tmp_path) as one:
        wait_until(lambda: asked(one) == addresses(known), "the endpoints")
        pods.api.api.kill()
        wait_until(lambda: one.metric("nodelocaldns_cluster_watching") == 0, "the loss to be noticed")
        assert dig(pods.lab.pod, new_name("svc.cluster.local")).status == "NOERROR"
        pods.api.start_api()
        pods.publish(known[:1])
        wait_until(lambda: asked(one) == addresses(known[:1]), "the change that was made meanwhile", 40)
