import base64
import copy
import json

import pytest

from tests.cases.injection import CASES, DNS, Case
from tests.unit.webhook.admission import ask, decided, patched, response, review
from webhook.advice import LONGEST
from webhook.decision import decide
from webhook.profile import Dns
from webhook.rules import Reason

ASKS = {"nodelocaldns.io/inject": "true"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_of_cases(case: Case) -> None:
    pod = case.pod("web")
    decision = decided(pod, case.namespace)
    after = patched(pod, decision.verdict.patch)
    if case.injected is None:
        assert decision.reason == case.left
        assert decision.verdict.patch == ()
        assert decision.verdict.audit == {"result": "skipped", "reason": case.left}
    else:
        assert decision.reason is None
        assert (after["spec"].pop("dnsPolicy"), after["spec"].pop("dnsConfig")) == ("None", case.dns_config)
        assert after["metadata"]["annotations"] == case.annotations | {"nodelocaldns.io/status": "injected"}
        assert after["spec"] == {k: v for k, v in pod["spec"].items() if k not in {"dnsPolicy", "dnsConfig"}}
    warnings = " ".join(decision.verdict.warnings)
    assert case.warning in warnings if case.warning else not warnings
    assert all(len(warning) <= LONGEST for warning in decision.verdict.warnings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_deciding_again_changes_nothing(case: Case) -> None:
    pod = case.pod("web")
    after = patched(pod, decided(pod, case.namespace).verdict.patch)
    again = decided(after, case.namespace)
    assert again.verdict.patch == ()
    if case.injected is not None:
        assert again.reason is Reason.ALREADY_INJECTED


def test_every_reason_that_a_pod_can_have_is_in_the_table() -> None:
    elsewhere = {Reason.NOT_A_POD, Reason.NOT_CREATED, Reason.NO_CLUSTER_DNS, Reason.INTERNAL_ERROR}
    assert {case.left for case in CASES if case.left} == {reason.value for reason in Reason if reason not in elsewhere}


def test_an_update_of_a_pod_is_left_alone() -> None:
    pod = CASES[0].pod("web")
    decision = decide(ask(pod, operation="UPDATE", oldObject=pod), DNS)
    assert (decision.reason, decision.verdict.patch) == (Reason.NOT_CREATED, ())


def test_a_deletion_carries_no_object_and_is_left_alone() -> None:
    assert decide(ask({}, operation="DELETE", object=None), DNS).reason is Reason.NOT_CREATED


def test_a_subresource_is_left_alone() -> None:
    assert decide(ask(CASES[0].pod("web"), subResource="ephemeralcontainers"), DNS).reason is Reason.NOT_A_POD


def test_another_kind_of_object_is_left_alone() -> None:
    deployments = {"group": "apps", "version": "v1", "resource": "deployments"}
    assert decide(ask(CASES[0].pod("web"), resource=deployments), DNS).reason is Reason.NOT_A_POD


def test_without_the_cluster_dns_a_pod_would_have_one_server_only_and_is_left_alone() -> None:
    decision = decided(CASES[0].pod("web"), dns=Dns())
    assert (decision.reason, decision.verdict.patch) == (Reason.NO_CLUSTER_DNS, ())
    assert "not known yet" in decision.verdict.warnings[0]


def test_a_dual_stack_cluster_gives_three_nameservers_and_never_more() -> None:
    dns = Dns(cluster_dns=("10.96.0.10", "fd00::a", "10.96.0.11"))
    config = patched(pod := CASES[0].pod("web"), decided(pod, dns=dns).verdict.patch)["spec"]["dnsConfig"]
    assert config["nameservers"] == ["169.254.20.10", "10.96.0.10", "fd00::a"]


def test_settings_of_the_cluster_are_in_the_pod() -> None:
    dns = Dns("fd00:20::10", ("fd00::a",), "corp.example", 1, 3, 2)
    pod = CASES[0].pod("web")
    assert patched(pod, decided(pod, dns=dns).verdict.patch)["spec"]["dnsConfig"] == {
        "nameservers": ["fd00:20::10", "fd00::a"],
        "searches": ["svc.corp.example"],
        "options": [
            {"name": "ndots", "value": "1"},
            {"name": "timeout", "value": "3"},
            {"name": "attempts", "value": "2"},
        ],
    }


def test_the_answer_is_an_admission_review_with_the_patch_in_base64() -> None:
    pod = CASES[0].pod("web-")
    answer = response(review(pod, dryRun=True))
    patch = json.loads(base64.b64decode(answer.pop("patch")))
    assert patched(pod, patch)["spec"]["dnsPolicy"] == "None"
    assert len(answer.pop("warnings")) == 1
    assert answer == {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "allowed": True,
        "patchType": "JSONPatch",
        "auditAnnotations": {"result": "injected", "profile": "lean"},
    }


def test_an_answer_that_changes_nothing_carries_no_patch() -> None:
    answer = response(review({"metadata": {}, "spec": {}}))
    assert answer["allowed"] is True
    assert not {"patch", "patchType", "warnings"} & set(answer)


def test_the_pod_that_was_sent_is_not_touched() -> None:
    pod = {"metadata": {"annotations": dict(ASKS)}, "spec": {"dnsConfig": {}}}
    before = copy.deepcopy(pod)
    assert decided(pod).reason is None
    assert pod == before
