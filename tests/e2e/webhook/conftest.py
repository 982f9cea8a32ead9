"""One API server per module, with the namespaces of the table of cases; what is registered is the tests' own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.apiserver import ApiServer, api_server, cluster_dns
from tests.lab.webhook import NAMES, Webhook, allow, register, webhooks

NAMESPACES = {"plain": {}, "opted-in": {"nodelocaldns.io/inject": "true"}, "excluded": {}, NAMES.own_namespace(): {}}


def prepare(server: ApiServer) -> None:
    for name, labels in NAMESPACES.items():
        server.create_namespace(name, labels)
    cluster_dns(server)
    allow(server)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as server:
        prepare(server)
        yield server


@pytest.fixture(scope="module")
def webhook(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """One replica, registered and ready."""
    folder: Path = tmp_path_factory.mktemp("webhook")
    with webhooks(api, folder, "webhook") as (replica,):
        register(api, replica.port)
        replica.wait_until_ready()
        yield replica
