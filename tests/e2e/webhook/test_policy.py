"""The same table of cases without a webhook: policies inside the API server; and the guard below both."""

import pytest

from tests.cases.injection import CASES, DNS, Case
from tests.lab.aftermath import after_creation
from tests.lab.apiserver import ApiServer
from tests.lab.waiting import wait_until
from tests.lab.webhook import NAMES, is_injected
from webhook.guard import guard
from webhook.policy import policy

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]

QUIET = {"opted-out", "not-asked", "mirror-pod", "already-injected", "excluded-namespace"}


@pytest.fixture(scope="module")
def policies(api: ApiServer) -> ApiServer:
    """With both policies in force, and the guard."""
    for document in policy(DNS, NAMES) + guard(DNS, NAMES):
        api.apply(document)
    own = {"metadata": {"generateName": "probe-"}, "spec": {"containers": CASES[0].pod("p")["spec"]["containers"]}}
    for namespace, annotations in (("plain", CASES[0].annotations), ("opted-in", {})):
        pod = {**own, "metadata": {"generateName": "probe-", "annotations": annotations}}
        odd = {**pod, "spec": {**own["spec"], "dnsPolicy": "Default"}}
        wait_until(lambda: is_injected(api.create_pod(namespace, pod, "?dryRun=All").document), "the policy")  # noqa: B023
        wait_until(lambda: api.create_pod(namespace, odd, "?dryRun=All").warnings, "the guard")  # noqa: B023
    return api


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_policies_decide_like_the_webhook(policies: ApiServer, case: Case) -> None:
    reply = policies.create_pod(case.namespace, case.pod("case-"))
    assert reply.status == 201, reply.document
    after_creation(case, reply.document)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_guard_speaks_where_a_pod_asks_and_does_not_get(policies: ApiServer, case: Case) -> None:
    warnings = policies.create_pod(case.namespace, case.pod("case-"), "?dryRun=All").warnings
    if case.left is None or case.left in QUIET:
        assert warnings == []
    else:
        assert len(warnings) == 1
        assert warnings[0].endswith(f"does not use it first: {case.left}")


def test_a_change_of_an_old_pod_is_left_alone(policies: ApiServer) -> None:
    pod = policies.create_pod("plain", CASES[1].pod("old")).document
    patch = {"metadata": {"annotations": {"nodelocaldns.io/inject": "true"}}}
    path = "/api/v1/namespaces/plain/pods/old"
    reply = policies.call("PATCH", path, patch, content_type="application/merge-patch+json")
    assert (reply.document["spec"], reply.warnings) == (pod["spec"], [])
