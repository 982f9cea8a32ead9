"""The real API server and the real CoreDNS behind it: what changes in the cluster is true here a moment later.

CoreDNS tells 30 s for answers and 5 s for missing names, so nothing below could be seen in time by waiting for that.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.apiserver import ApiServer
from tests.lab.dig import dig
from tests.lab.dnspods import dns_pods
from tests.lab.netns import Namespace
from tests.lab.process import first_in_line
from tests.lab.reports import report
from tests.lab.resolver import Resolver, configuration
from tests.lab.servers import Server
from tests.lab.topology import lab
from tests.lab.waiting import wait_until
from tests.servers import coredns_for_kubernetes

pytestmark = [pytest.mark.e2e, pytest.mark.needs("netns", "dig", "go"), pytest.mark.serial]

SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
DOMAIN = "default.svc.cluster.local"
CLUSTER_DNS = "127.0.0.2"
WORLD_DNS = "127.0.0.3"
OUTSIDE = "203.0.113.9"


class ClusterDns(Server):
    """CoreDNS with its plugin for Kubernetes, on the node's loopback, and beside it the world: all below `example`."""

    def __init__(self, node: Namespace, api: ApiServer, folder: Path) -> None:
        corefile = folder / "Corefile.kubernetes"
        corefile.write_text(f"""\
.:53 {{
    bind {CLUSTER_DNS}
    errors
    template ANY ANY marker.invalid. {{
        rcode NXDOMAIN
    }}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {api.kubeconfig} tests
        ttl 30
    }}
}}
.:53 {{
    bind {WORLD_DNS}
    errors
    template IN A example {{
        answer "{{{{ .Name }}}} 30 IN A {OUTSIDE}"
    }}
    template ANY ANY . {{
        rcode NXDOMAIN
        authority ". 30 IN SOA ns.invalid. admin.invalid. 1 60 60 60 30"
    }}
}}
""")
        command = [str(coredns_for_kubernetes()), "-conf", str(corefile)]
        super().__init__(node, CLUSTER_DNS, command, folder / "coredns-kubernetes.log")


class Followed:
    """A cluster, and a resolver that follows it."""

    def __init__(self, api: ApiServer, one: Resolver, pod: Namespace) -> None:
        self.api, self.one, self.pod = api, one, pod

    def status(self, name: str) -> str:
        return dig(self.pod, f"{name}.{DOMAIN}").status

    def data(self, name: str, rtype: str = "A") -> set[str]:
        return dig(self.pod, name, rtype).data

    def service(self, name: str, **spec: Any) -> dict[str, Any]:
        ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
        document = {"metadata": {"name": name}, "spec": {"ports": ports, **spec}}
        return self.api.must("POST", SERVICES, document)

    def publish(self, service: str, *pods: str, method: str = "POST") -> None:
        document = {
            "metadata": {
                "name": f"{service}-1",
                "labels": {"kubernetes.io/service-name": service, "service.kubernetes.io/headless": ""},
            },
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [f"10.244.9.{n}"], "hostname": pod, "conditions": {"ready": True}}
                for n, pod in enumerate(pods, 1)
            ],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        }
        self.api.must(method, SLICES + (f"/{service}-1" if method == "PUT" else ""), document)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("freshness")
    coredns_for_kubernetes()
    with first_in_line(), lab() as places, dns_pods(places, folder) as pods:
        server = ClusterDns(places.node, pods.api, folder)
        config = configuration(
            cluster={"upstreams": [CLUSTER_DNS], "freshness": True, "searchCompletion": True, "timeout": "4s"},
            world={"upstreams": [WORLD_DNS]}, kubernetes=pods.settings(), node={"user": "nobody"},
        )  # fmt: skip
        one = Resolver(places.node, folder, config)
        try:
            server.start()
            one.start()
            wait_until(lambda: one.metric("nodelocaldns_cluster_watching") == 2, "both watches")
            yield Followed(pods.api, one, places.pod)
        finally:
            one.process.kill()
            server.kill()


def test_a_new_service_is_found_although_it_was_known_not_to_exist(followed: Followed) -> None:
    waited = []
    for number in range(5):
        name = f"new-{number}"
        missing = dig(followed.pod, f"{name}.{DOMAIN}")
        assert missing.status == "NXDOMAIN"
        address = followed.service(name)["spec"]["clusterIP"]
        began = time.monotonic()
        wait_until(lambda name=name: followed.status(name) == "NOERROR", "the new Service", 4)  # type: ignore[misc]
        waited.append(time.monotonic() - began)
        assert followed.data(f"{name}.{DOMAIN}") == {address}
    report("freshness", [{"new Service after NXDOMAIN": len(waited), "slowest, s": max(waited)}])


def test_one_that_is_removed_is_gone_under_all_its_names(followed: Followed) -> None:
    followed.service("short")
    address = followed.service("gone")["spec"]["clusterIP"]
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    wait_until(lambda: followed.data(f"gone.{DOMAIN}") == {address}, "the Service")
    wait_until(lambda: followed.data(reverse, "PTR") == {f"gone.{DOMAIN}."}, "its reverse name")
    assert followed.data(f"_http._tcp.gone.{DOMAIN}", "SRV")
    followed.api.must("DELETE", f"{SERVICES}/gone")
    wait_until(lambda: followed.status("gone") == "NXDOMAIN", "the name to be gone", 4)
    wait_until(lambda: dig(followed.pod, reverse, "PTR").status == "NXDOMAIN", "the reverse name to be gone", 4)
    wait_until(lambda: not followed.data(f"_http._tcp.gone.{DOMAIN}", "SRV"), "the port's name to be gone", 4)
    assert followed.status("short") == "NOERROR"


def test_the_pods_of_a_headless_service_come_and_go(followed: Followed) -> None:
    followed.service("db", clusterIP="None")
    followed.publish("db", "db-0")
    wait_until(lambda: followed.data(f"db.{DOMAIN}") == {"10.244.9.1"}, "the first pod")
    assert followed.status("db-1.db") == "NXDOMAIN"
    followed.publish("db", "db-0", "db-1", method="PUT")
    wait_until(lambda: followed.data(f"db-1.db.{DOMAIN}") == {"10.244.9.2"}, "the second pod's name", 4)
    wait_until(lambda: len(followed.data(f"db.{DOMAIN}")) == 2, "both", 4)
    followed.publish("db", "db-0", method="PUT")
    wait_until(lambda: followed.data(f"db.{DOMAIN}") == {"10.244.9.1"}, "one of them again", 4)
    wait_until(lambda: followed.status("db-1.db") == "NXDOMAIN", "the second pod's name to be gone", 4)
    assert followed.one.metric("nodelocaldns_cluster_forgotten_total") > 0


def test_what_search_lists_make_of_a_name_is_completed_to_what_is_true_now(followed: Followed) -> None:
    """As a program in the namespace `default` asks for `late.default`, which the second of its steps would find."""
    searched = f"late.default.{DOMAIN}"
    waited = []
    for _ in range(3):
        assert dig(followed.pod, searched).status == "NXDOMAIN"
        address = followed.service("late")["spec"]["clusterIP"]
        began = time.monotonic()
        wait_until(lambda: followed.data(searched) == {address}, "the new Service", 4)  # noqa: B023
        waited.append(time.monotonic() - began)
        followed.api.must("DELETE", f"{SERVICES}/late")
        began = time.monotonic()
        wait_until(lambda: dig(followed.pod, searched).status == "NXDOMAIN", "the removed Service to be gone", 4)
        waited.append(time.monotonic() - began)
    report("freshness_completed", [{"changes": len(waited), "slowest, s": max(waited)}])


def test_a_name_completed_to_the_world_is_the_cluster_s_once_that_has_it(followed: Followed) -> None:
    """`api.example` is somebody else's until a pod of a headless Service `example` is called `api`."""
    searched = f"api.example.{DOMAIN}"
    assert followed.data(searched) == {OUTSIDE}
    followed.service("example", clusterIP="None")
    followed.publish("example", "api")
    wait_until(lambda: followed.data(searched) == {"10.244.9.1"}, "the pod", 4)
    followed.api.must("DELETE", f"{SLICES}/example-1")
    followed.api.must("DELETE", f"{SERVICES}/example")
    wait_until(lambda: followed.data(searched) == {OUTSIDE}, "the world again", 4)
