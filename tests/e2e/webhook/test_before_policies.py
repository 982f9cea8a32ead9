"""An API server from before Kubernetes 1.36, where policies cannot change pods: the webhook decides the same there."""

from collections.abc import Iterator

import pytest

from tests.cases.injection import CASES, DNS, Case
from tests.e2e.webhook.conftest import prepare
from tests.lab.aftermath import after_creation
from tests.lab.apiserver import ApiServer, api_server
from tests.lab.waiting import wait_until
from tests.lab.webhook import NAMES, is_injected, register, webhooks
from tests.servers import kube_apiserver_before_policies
from webhook.guard import guard

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """With a webhook that is registered and ready."""
    folder = tmp_path_factory.mktemp("old")
    with api_server(folder, kube_apiserver_before_policies()) as server:
        prepare(server)
        with webhooks(server, folder, "webhook") as (webhook,):
            register(server, webhook.port)
            webhook.wait_until_ready()
            wait_until(lambda: is_injected(server.create_pod("plain", CASES[0].pod("a-")).document), "an injection")
            yield server


def test_policies_that_change_pods_are_not_there(old: ApiServer) -> None:
    assert old.must("GET", "/version")["gitVersion"].startswith("v1.35.")
    path = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
    assert old.call("GET", path).status == 404


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_of_cases(old: ApiServer, case: Case) -> None:
    reply = old.create_pod(case.namespace, case.pod("case-"))
    assert reply.status == 201, reply.document
    after_creation(case, reply.document)


def test_the_guard_works(old: ApiServer) -> None:
    for document in guard(DNS, NAMES):
        old.apply(document)
    kept = next(case for case in CASES if case.left == "own-dns-config")

    def guarded() -> bool:
        warnings = old.create_pod("plain", kept.pod("kept-"), "?dryRun=All").warnings
        return any("does not use it first: own-dns-config" in warning for warning in warnings)

    wait_until(guarded, "the guard")
    assert old.create_pod("plain", CASES[0].pod("a-"), "?dryRun=All").warnings[0].startswith("nodelocaldns: bare")
