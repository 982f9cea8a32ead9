"""What an injected pod's DNS settings are: the values of dnsConfig for a profile and the overrides of one pod. Pure.

`Dns` is the cluster's side (configuration, discovered addresses), `Wishes` the pod's. Limits are Kubernetes' own
validation of dnsConfig, or stricter: at most 3 nameservers, names of search domains in lower case.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MOST_NAMESERVERS: Final = 3
MOST_SEARCHES: Final = 6
"""Search domains that one pod may name: what resolvers of every libc read (MAXDNSRCH of resolv.h)."""
MOST_NDOTS: Final = 15
"""glibc and musl take a larger number for this one (RES_MAXNDOTS of resolv.h)."""

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN: Final = rf"{_LABEL}([.]{_LABEL})*[.]?"
SEARCHES: Final = rf"(|{_DOMAIN}( *, *{_DOMAIN}){{0,{MOST_SEARCHES - 1}}})"
"""The whole annotation. This and NDOTS mean the same to Python and to RE2, which policies use."""
NDOTS: Final = "([0-9]|1[0-5])"
LONGEST_SEARCHES: Final = 253
"""Characters of the whole annotation; so none of its domains is longer than a name can be (RFC 1035, section 2.3.4)."""


class Profile(StrEnum):
    """How much of a pod's search list is kept."""

    LEAN = "lean"
    COMPAT = "compat"


@dataclass(frozen=True, slots=True)
class Dns:
    """The cluster's side. Addresses in canonical text; `timeout` in seconds."""

    local_address: str = "169.254.20.10"
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    ndots: int = 2
    timeout: int = 1
    attempts: int = 1

    @property
    def nameservers(self) -> list[str]:
        """The local resolver, then the cluster's DNS; each once, at most three."""
        return list(dict.fromkeys((self.local_address, *self.cluster_dns)))[:MOST_NAMESERVERS]


@dataclass(frozen=True, slots=True)
class Wishes:
    """The pod's side: what its annotations say. None: not said."""

    profile: Profile = Profile.LEAN
    ndots: str | None = None
    searches: tuple[str, ...] | None = None


def search_domains(profile: Profile, namespace: str, cluster_domain: str) -> tuple[str, ...]:
    """The search domains of a profile, in the order in which a pod tries them."""
    everywhere = f"svc.{cluster_domain}"
    match profile:
        case Profile.LEAN:
            return (everywhere,)
        case Profile.COMPAT:
            return (f"{namespace}.{everywhere}", everywhere, cluster_domain)


def dns_config(dns: Dns, wishes: Wishes, namespace: str) -> dict[str, Any]:
    """The dnsConfig of a pod in `namespace`, as it stands in the pod's JSON."""
    searches = wishes.searches
    if searches is None:
        searches = search_domains(wishes.profile, namespace, dns.cluster_domain)
    options = [
        {"name": "ndots", "value": str(dns.ndots) if wishes.ndots is None else wishes.ndots},
        {"name": "timeout", "value": str(dns.timeout)},
        {"name": "attempts", "value": str(dns.attempts)},
    ]
    return {"nameservers": dns.nameservers} | ({"searches": list(searches)} if searches else {}) | {"options": options}


def read_searches(text: str) -> tuple[str, ...] | None:
    """The search domains of an annotation; None for what Kubernetes or a libc would not take."""
    if len(text) > LONGEST_SEARCHES or not re.fullmatch(SEARCHES, text, re.ASCII):
        return None
    return tuple(name.strip(" ") for name in text.split(",")) if text else ()


def read_ndots(text: str) -> str | None:
    """The ndots of an annotation, as it stands in dnsConfig; None for what is no number from 0 to 15."""
    return text if re.fullmatch(NDOTS, text, re.ASCII) else None
