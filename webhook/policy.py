"""The same decision without a webhook: MutatingAdmissionPolicies and their bindings, as documents. Pure.

Kubernetes 1.36 and later evaluate it inside the API server. Conditions come from `webhook.rules`, words and limits from
`webhook.profile`. Differences to the webhook: no warnings, no reasons, and the cluster's DNS has to be named, because a
policy discovers nothing. Lists are written as literals: a list that a function returns is refused before 1.37.
"""

from typing import Any, Final

from webhook import words
from webhook.profile import MOST_SEARCHES, Dns, Profile, search_domains
from webhook.registration import namespaces
from webhook.rules import annotation, conditions
from webhook.values import Cluster

NAMES: Final = {False: "nodelocaldns-pods", True: "nodelocaldns-namespaces"}
"""By whether they are for namespaces that opted in."""


def policy(dns: Dns, cluster: Cluster) -> list[dict[str, Any]]:
    """Two policies, each with its binding; ValueError without addresses of the cluster's DNS."""
    if not dns.cluster_dns:
        raise ValueError("dns.clusterDNS must be given: a policy cannot discover it")
    return [
        document
        for by_namespace, name in NAMES.items()
        for document in (
            admission_object("MutatingAdmissionPolicy", name, _spec(dns, cluster, by_namespace=by_namespace)),
            admission_object("MutatingAdmissionPolicyBinding", name, {"policyName": name}),
        )
    ]


def constraints(cluster: Cluster, *, by_namespace: bool) -> dict[str, Any]:
    """matchConstraints: pods that are being created, in the one or the other half of the namespaces."""
    return {
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespaces(cluster, opted_in=by_namespace),
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }


def admission_object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A document of admissionregistration."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def _spec(dns: Dns, cluster: Cluster, *, by_namespace: bool) -> dict[str, Any]:
    return {
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": constraints(cluster, by_namespace=by_namespace),
        "matchConditions": conditions(dns, by_namespace=by_namespace),
        "variables": [
            {"name": "named", "expression": f"{annotation(words.SEARCHES)}.split(',').map(name, name.trim())"},
        ],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": _patch(dns)}}],
    }


def _patch(dns: Dns) -> str:
    ndots = annotation(words.NDOTS, repr(str(dns.ndots)))
    options = (("ndots", ndots), ("timeout", repr(str(dns.timeout))), ("attempts", repr(str(dns.attempts))))
    listed = ",\n    ".join(
        f"Object.spec.dnsConfig.options{{name: {name!r}, value: {value}}}" for name, value in options
    )
    status = words.STATUS.replace("/", "~1")  # RFC 6901, section 3
    return f"""[
  JSONPatch{{op: 'add', path: '/spec/dnsPolicy', value: 'None'}},
  JSONPatch{{op: 'add', path: '/spec/dnsConfig', value: Object.spec.dnsConfig{{
    nameservers: [{_texts(dns.nameservers)}],
    searches: {_searches(dns)},
    options: [{listed}]
  }}}},
  object.metadata.?annotations.orValue({{}}).size() > 0
    ? JSONPatch{{op: 'add', path: '/metadata/annotations/{status}', value: {words.INJECTED!r}}}
    : JSONPatch{{op: 'add', path: '/metadata/annotations', value: {{{words.STATUS!r}: {words.INJECTED!r}}}}}
]"""


def _searches(dns: Dns) -> str:
    """CEL for the search domains: those that the pod names, otherwise the profile's."""
    named = annotation(words.SEARCHES, "' '")  # a space is no valid value, so it can mean that there is none
    by_number = "".join(
        f" : variables.named.size() == {number} ? [{', '.join(f'variables.named[{i}]' for i in range(number))}]"
        for number in range(1, MOST_SEARCHES)
    )
    all_of_them = ", ".join(f"variables.named[{i}]" for i in range(MOST_SEARCHES))
    compat = f"{annotation(words.PROFILE)} == {Profile.COMPAT.value!r}"
    of_profile = f"{compat} ? [{_domains(Profile.COMPAT, dns)}] : [{_domains(Profile.LEAN, dns)}]"
    return f"{named} == ' ' ? ({of_profile}) : ({named} == '' ? []{by_number} : [{all_of_them}])"


def _domains(profile: Profile, dns: Dns) -> str:
    domains = search_domains(profile, "\0", dns.cluster_domain)
    return ", ".join(
        f"request.namespace + {domain.removeprefix(chr(0))!r}" if domain.startswith("\0") else repr(domain)
        for domain in domains
    )


def _texts(values: list[str]) -> str:
    return ", ".join(map(repr, values))
