"""Which pods are left alone, and why: one table, read by the webhook in Python and by the API server in CEL. Pure.

Each rule says the same twice, side by side: `applies` decides a review, `cel` is the text for policies
(`webhook.policy`, `webhook.guard`) and is true under the same circumstances. tests/cases/injection.yaml holds both
against a real API server. The first rule that applies gives the reason; a pod to which none applies is injected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhook import words
from webhook.profile import LONGEST_SEARCHES, NDOTS, SEARCHES, Dns, Profile, read_ndots, read_searches
from webhook.review import Ask


class Reason(StrEnum):
    """Why a pod is left as it is."""

    NOT_A_POD = "not-a-pod"
    NOT_CREATED = "not-created"
    EXCLUDED_NAMESPACE = "excluded-namespace"
    OPTED_OUT = "opted-out"
    NOT_ASKED = "not-asked"
    MIRROR_POD = "mirror-pod"
    WINDOWS = "windows"
    ALREADY_INJECTED = "already-injected"
    INVALID_ANNOTATION = "invalid-annotation"
    DNS_POLICY = "dns-policy"
    HOST_NETWORK = "host-network"
    OWN_DNS_CONFIG = "own-dns-config"
    NO_CLUSTER_DNS = "no-cluster-dns"
    INTERNAL_ERROR = "internal-error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to leave a pod alone; `cel` gives the condition for a cluster's DNS settings."""

    reason: Reason
    applies: Callable[[Ask, Dns], bool]
    cel: Callable[[Dns], str]


CLUSTER_FIRST: Final = "ClusterFirst"
WITH_HOST_NET: Final = "ClusterFirstWithHostNet"


def annotation(key: str, otherwise: str = "''") -> str:
    """CEL for a pod's annotation; `otherwise` is CEL for its value where it is missing."""
    return f"object.metadata.?annotations[?{key!r}].orValue({otherwise})"


def spec(path: str, otherwise: str) -> str:
    """CEL for a field of a pod's spec that may be missing, such as `dnsConfig.?nameservers`."""
    return f"object.spec.?{path}.orValue({otherwise})"


_POLICY = spec("dnsPolicy", repr(CLUSTER_FIRST))
_DNS_LISTS = ("nameservers", "searches", "options")


def dns_policy(ask: Ask) -> str:
    """The pod's dnsPolicy, with the default that the API server fills in."""
    return ask.spec.get("dnsPolicy") or CLUSTER_FIRST


def first_nameserver(ask: Ask) -> object:
    """The first nameserver of the pod's own dnsConfig, or None."""
    nameservers = (ask.spec.get("dnsConfig") or {}).get("nameservers")
    return nameservers[0] if nameservers else None


def _is_windows(ask: Ask, dns: Dns) -> bool:
    named = (ask.spec.get("os") or {}).get("name")
    selected = (ask.spec.get("nodeSelector") or {}).get(words.OS_LABEL)
    return "windows" in {str(named), str(selected)}


def _is_invalid(ask: Ask, dns: Dns) -> bool:
    return bool(invalid_annotations(ask))


def invalid_annotations(ask: Ask) -> list[str]:
    """The keys of those annotations for this webhook that say nothing it understands."""
    readers: dict[str, Callable[[str], object]] = {
        words.PROFILE: lambda text: text if text in Profile.__members__.values() else None,
        words.NDOTS: read_ndots,
        words.SEARCHES: read_searches,
    }
    return [key for key, read in readers.items() if key in ask.annotations and read(ask.annotations[key]) is None]


def _cel_invalid(dns: Dns) -> str:
    searches = annotation(words.SEARCHES)
    profiles = ", ".join(repr(each.value) for each in Profile)
    return (
        f"!({annotation(words.PROFILE, repr(Profile.LEAN.value))} in [{profiles}]"
        f" && {annotation(words.NDOTS, repr('0'))}.matches('^{NDOTS}$')"
        f" && {searches}.size() <= {LONGEST_SEARCHES} && {searches}.matches('^{SEARCHES}$'))"
    )


def _has_own_config(ask: Ask, dns: Dns) -> bool:
    own = ask.spec.get("dnsConfig") or {}
    return any(own.get(name) for name in _DNS_LISTS)


RULES: Final = (
    Rule(
        Reason.OPTED_OUT,
        lambda ask, dns: ask.annotations.get(words.INJECT) == "false",
        lambda dns: f"{annotation(words.INJECT)} == 'false'",
    ),
    Rule(
        Reason.NOT_ASKED,
        lambda ask, dns: ask.annotations.get(words.INJECT) != "true" and not ask.by_namespace,
        lambda dns: f"{annotation(words.INJECT)} != 'true'",
    ),
    Rule(
        Reason.MIRROR_POD,
        lambda ask, dns: words.MIRROR in ask.annotations,
        lambda dns: f"object.metadata.?annotations[?{words.MIRROR!r}].hasValue()",
    ),
    Rule(
        Reason.WINDOWS,
        _is_windows,
        lambda dns: (
            f"{spec('os.?name', repr(''))} == 'windows'"
            f" || {spec(f'nodeSelector[?{words.OS_LABEL!r}]', repr(''))} == 'windows'"
        ),
    ),
    Rule(
        Reason.ALREADY_INJECTED,
        lambda ask, dns: dns_policy(ask) == "None" and first_nameserver(ask) == dns.local_address,
        lambda dns: f"{_POLICY} == 'None' && {spec('dnsConfig.?nameservers[?0]', repr(''))} == {dns.local_address!r}",
    ),
    Rule(Reason.INVALID_ANNOTATION, _is_invalid, _cel_invalid),
    Rule(
        Reason.DNS_POLICY,
        lambda ask, dns: dns_policy(ask) not in {CLUSTER_FIRST, WITH_HOST_NET},
        lambda dns: f"!({_POLICY} in [{CLUSTER_FIRST!r}, {WITH_HOST_NET!r}])",
    ),
    Rule(
        Reason.HOST_NETWORK,
        lambda ask, dns: ask.spec.get("hostNetwork") is True and dns_policy(ask) == CLUSTER_FIRST,
        lambda dns: f"{spec('hostNetwork', 'false')} && {_POLICY} == {CLUSTER_FIRST!r}",
    ),
    Rule(
        Reason.OWN_DNS_CONFIG,
        _has_own_config,
        lambda dns: " || ".join(f"object.spec.?dnsConfig.?{name}.orValue([]).size() > 0" for name in _DNS_LISTS),
    ),
)


def conditions(dns: Dns, *, by_namespace: bool) -> list[dict[str, str]]:
    """The table as matchConditions of a policy, for namespaces that opted in or for the others.

    Which of the two a namespace is, the policy's namespaceSelector has to say: match conditions see no namespace.
    """
    return [
        {"name": f"not-{rule.reason.value}", "expression": f"!({rule.cel(dns)})"}
        for rule in RULES
        if not (by_namespace and rule.reason is Reason.NOT_ASKED)
    ]


def reason_to_skip(ask: Ask, dns: Dns) -> Reason | None:
    """The first reason of the table, or None if there is none."""
    return next((rule.reason for rule in RULES if rule.applies(ask, dns)), None)
