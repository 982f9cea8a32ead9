"""A net below both modes: a ValidatingAdmissionPolicy that warns about pods which ask and do not get. Pure.

It refuses nothing. It sees a pod after all changes, so it also speaks when the webhook was away (failurePolicy Ignore
says nothing) or when something else changed the pod again. Works from Kubernetes 1.30 on.
"""

from typing import Any, Final

from webhook.policy import admission_object, constraints
from webhook.profile import Dns
from webhook.rules import RULES, Reason, conditions, spec
from webhook.values import Cluster

NAMES: Final = {False: "nodelocaldns-guard-pods", True: "nodelocaldns-guard-namespaces"}
_EXPECTED: Final = {Reason.OPTED_OUT, Reason.NOT_ASKED, Reason.MIRROR_POD}
"""Reasons that are no news to anybody."""


def guard(dns: Dns, cluster: Cluster) -> list[dict[str, Any]]:
    """Two policies, each with its binding."""
    found = []
    for by_namespace, name in NAMES.items():
        binding = {"policyName": name, "validationActions": ["Warn", "Audit"]}
        found.append(
            admission_object("ValidatingAdmissionPolicy", name, _spec(dns, cluster, by_namespace=by_namespace))
        )
        found.append(admission_object("ValidatingAdmissionPolicyBinding", name, binding))
    return found


def _spec(dns: Dns, cluster: Cluster, *, by_namespace: bool) -> dict[str, Any]:
    quiet = {f"not-{reason.value}" for reason in _EXPECTED}
    local_first = f"{spec('dnsConfig.?nameservers[?0]', repr(''))} == {dns.local_address!r}"
    return {
        "failurePolicy": "Ignore",
        "matchConstraints": constraints(cluster, by_namespace=by_namespace),
        "matchConditions": [each for each in conditions(dns, by_namespace=by_namespace) if each["name"] in quiet],
        "validations": [{"expression": local_first, "messageExpression": _message(dns)}],
    }


def _message(dns: Dns) -> str:
    reasons = "".join(
        f"({rule.cel(dns)}) ? {rule.reason.value!r} : "
        for rule in RULES
        if rule.reason not in _EXPECTED | {Reason.ALREADY_INJECTED}
    )
    return (
        "'nodelocaldns: this pod asks for the node-local DNS cache and does not use it first: ' + "
        f"({reasons}'the webhook was not there, or something changed the pod after it')"
    )
