"""One review in, one decision out: inject with the smallest patch, or leave the pod alone with a reason. Pure.

The patch sets three fields and no more; everything else of the pod stays as the API server sent it. Deciding again on
the patched pod gives `Reason.ALREADY_INJECTED`, because what was injected is recognised by itself, not by the status
annotation, which anybody can copy.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from webhook import words
from webhook.advice import FAIL_OPEN, warnings_for_injection, warnings_for_skip
from webhook.profile import Dns, Profile, Wishes, dns_config, read_ndots, read_searches
from webhook.review import PODS, Ask, Verdict
from webhook.rules import Reason, reason_to_skip

Patch = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is None for an injected pod, `profile` for one that is left alone."""

    verdict: Verdict
    reason: Reason | None = None
    profile: Profile | None = None

    @property
    def result(self) -> str:
        """The label of metrics and audit annotations."""
        return words.SKIPPED if self.reason else words.INJECTED


def decide(ask: Ask, dns: Dns, excluded: AbstractSet[str] = frozenset()) -> Decision:
    """What happens to the pod of `ask`; `excluded` are namespaces whose pods are always left alone."""
    if reason := _not_for_us(ask, excluded) or reason_to_skip(ask, dns):
        return _skip(reason, warnings_for_skip(reason, ask))
    if not dns.cluster_dns:
        return _skip(Reason.NO_CLUSTER_DNS, warnings_for_skip(Reason.NO_CLUSTER_DNS, ask))
    wishes = wishes_of(ask)
    audit = {"result": words.INJECTED, "profile": wishes.profile.value}
    patch = injection(ask, dns_config(dns, wishes, ask.namespace))
    return Decision(Verdict(patch, warnings_for_injection(ask, wishes), audit), profile=wishes.profile)


def fail_open() -> Decision:
    """For a failure of our own: the pod goes through, and its creator is told."""
    return _skip(Reason.INTERNAL_ERROR, (FAIL_OPEN,))


def wishes_of(ask: Ask) -> Wishes:
    """What the pod's annotations, which must be valid, ask for."""
    return Wishes(
        profile=Profile(ask.annotations.get(words.PROFILE, Profile.LEAN)),
        ndots=read_ndots(ask.annotations[words.NDOTS]) if words.NDOTS in ask.annotations else None,
        searches=read_searches(ask.annotations[words.SEARCHES]) if words.SEARCHES in ask.annotations else None,
    )


def injection(ask: Ask, config: dict[str, Any]) -> Patch:
    """The JSON Patch (RFC 6902) that gives the pod these DNS settings; `add` also replaces what is there."""
    if ask.annotations:
        status = _add(f"/metadata/annotations/{_escaped(words.STATUS)}", words.INJECTED)
    else:
        status = _add("/metadata/annotations", {words.STATUS: words.INJECTED})
    return [_add("/spec/dnsPolicy", "None"), _add("/spec/dnsConfig", config), status]


def _not_for_us(ask: Ask, excluded: AbstractSet[str]) -> Reason | None:
    """What a registration that is as it should be never sends."""
    if ask.resource != PODS:
        return Reason.NOT_A_POD
    if ask.operation != "CREATE":
        return Reason.NOT_CREATED
    return Reason.EXCLUDED_NAMESPACE if ask.namespace in excluded else None


def _skip(reason: Reason, warnings: tuple[str, ...]) -> Decision:
    return Decision(Verdict((), warnings, {"result": words.SKIPPED, "reason": reason.value}), reason)


def _add(path: str, value: object) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")  # RFC 6901, section 3
