"""What people are told: sentences for kubectl's warnings, each with what to do. Pure.

The API server shows a warning to whoever creates the pod, so they are written for somebody who has never read this
project's documentation. Kubernetes asks for at most 256 characters each.
"""

from typing import Final

from webhook import words
from webhook.profile import MOST_NDOTS, MOST_SEARCHES, Profile, Wishes
from webhook.review import Ask
from webhook.rules import Reason, dns_policy, invalid_annotations

LONGEST: Final = 256
"""Characters of one warning; kubectl and the API server cut what is longer."""

_OF_REASONS: Final = {
    Reason.WINDOWS: "nodelocaldns: not injected, Windows has no node-local DNS cache",
    Reason.OWN_DNS_CONFIG: (
        "nodelocaldns: not injected, the pod's own dnsConfig is kept as it is; remove spec.dnsConfig to use the "
        f"node-local DNS cache (ndots and search domains: annotations {words.NDOTS}, {words.SEARCHES})"
    ),
    Reason.HOST_NETWORK: (
        "nodelocaldns: not injected, dnsPolicy ClusterFirst on a hostNetwork pod means the node's own DNS; "
        "use dnsPolicy: ClusterFirstWithHostNet"
    ),
    Reason.NO_CLUSTER_DNS: (
        "nodelocaldns: not injected, the address of the cluster's DNS is not known yet; create the pod again, "
        "or set dns.clusterDNS in the webhook's configuration"
    ),
}

FAIL_OPEN: Final = (
    "nodelocaldns: not injected, the webhook failed on this pod and let it through; its log has the reason"
)


def warnings_for_skip(reason: Reason, ask: Ask) -> tuple[str, ...]:
    """What to tell when a pod is left alone; nothing where that is what its owner wants."""
    match reason:
        case Reason.INVALID_ANNOTATION:
            return tuple(_invalid(key, ask.annotations[key])[:LONGEST] for key in invalid_annotations(ask))
        case Reason.DNS_POLICY:
            return (f"nodelocaldns: not injected, dnsPolicy {dns_policy(ask)[:40]} is kept; use ClusterFirst",)
    return (_OF_REASONS[reason],) if reason in _OF_REASONS else ()


def warnings_for_injection(ask: Ask, wishes: Wishes) -> tuple[str, ...]:
    """What to tell about an injected pod: that profile lean, unless somebody chose it, changes what names work."""
    chosen = words.PROFILE in ask.annotations or wishes.searches is not None
    if chosen or wishes.profile is not Profile.LEAN:
        return ()
    text = (
        "nodelocaldns: bare service names (http://web) do not resolve in this pod: write web.NAMESPACE, or set "
        f"annotation {words.PROFILE} to compat (to lean: no more of this warning)"
    )
    return (text,)


def _invalid(key: str, value: str) -> str:
    expected = {
        words.PROFILE: " or ".join(each.value for each in Profile),
        words.NDOTS: f"a number from 0 to {MOST_NDOTS}",
        words.SEARCHES: f"at most {MOST_SEARCHES} domain names in lower case with commas between",
    }[key]
    shown = value if len(value) <= 60 else value[:57] + "..."
    return f"nodelocaldns: not injected, annotation {key} is {shown!r}, expected {expected}"
