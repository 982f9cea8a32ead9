"""What a configuration wants of the API server."""

import pytest

from resolver.config import Admin, Config, Kubernetes, ServiceUpstream, Zone
from resolver.kubernetes.wanted import Wanted, wanted

SERVICE = ServiceUpstream("kube-system", "kube-dns", "10.96.0.10")
CONFIG = Config(zones=(Zone(("cluster.local",), (SERVICE,)), Zone(("example.com",), (SERVICE,))))
CONTAINER = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


def test_without_a_service_nothing_is_wanted_wherever_it_runs() -> None:
    assert wanted(Config(), {}, "host") is None


def test_a_container_is_told_where_the_api_server_is() -> None:
    assert wanted(CONFIG, CONTAINER, "host") == Wanted("10.96.0.1", 6443, "host", "", (SERVICE,))


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [("https://192.0.2.1:6443", "192.0.2.1", 6443), ("https://[fd00::1]:443", "fd00::1", 443)],
)
def test_the_configuration_has_the_last_word(server: str, host: str, port: int) -> None:
    settings = Kubernetes(server=server, node="node-1", zone="a")
    found = wanted(CONFIG._replace(kubernetes=settings), CONTAINER, "host")
    assert found == Wanted(host, port, "node-1", "a", (SERVICE,))


@pytest.mark.parametrize(
    "environ", [{}, {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "tcp://x"}]
)
def test_where_nobody_names_one_that_is_said(environ: dict[str, str]) -> None:
    with pytest.raises(LookupError, match=r"kubernetes\.server"):
        wanted(CONFIG, environ, "host")


def test_pods_are_wanted_by_who_counts_what_they_ask() -> None:
    settings = Kubernetes(pods=True)
    assert wanted(Config(kubernetes=settings), CONTAINER, "host") is None
    counting = Config(kubernetes=settings, admin=Admin(top=True))
    assert wanted(counting, CONTAINER, "host") == Wanted("10.96.0.1", 6443, "host", "", (), pods=True)
