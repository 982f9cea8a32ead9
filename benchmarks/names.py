"""The names that are asked for, and what the upstream answers to each: computed, so that every answer can be checked.

The names look like those of a cluster. What they resolve to is native/upstream.c's rule: addresses are FNV-1a of the
name; a name with "com" inside (an outside name tried below a search domain) does not exist.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

A, AAAA = "A", "AAAA"
CLUSTER = "cluster.local"
SEARCH = tuple(f"{domain}{CLUSTER}" for domain in ("shop.svc.", "svc.", ""))

ZIPF_EXPONENT = 1.0
UNIQUE_SHARE = 0.05
"""Of the realistic mix: questions that nobody asked before."""

_FNV_BASIS, _FNV_PRIME = 2166136261, 16777619


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: `name` without its last dot, `type` as dnsperf spells it."""

    name: str
    type: str = A

    @property
    def exists(self) -> bool:
        """False: NXDOMAIN is the right answer."""
        return "com" not in self.name.lower().split(".")[:-1]

    @property
    def address(self) -> str:
        """The one address in the right answer, if the name exists."""
        wire = b"".join(bytes([len(label)]) + label.lower().encode() for label in self.name.split("."))
        digest = _FNV_BASIS
        for byte in wire:
            digest = (digest ^ byte) * _FNV_PRIME & 0xFFFFFFFF
        if self.type == A:
            return str(IPv4Address(10 << 24 | digest & 0xFFFFFF))
        return str(IPv6Address(0xFD << 120 | digest))


def services(count: int) -> list[Asked]:
    """`count` names of services, all different."""
    return [Asked(f"svc-{number}.team-{number % 97}.svc.{CLUSTER}") for number in range(count)]


def unique(count: int) -> list[Asked]:
    """`count` names that no other workload asks for."""
    return [Asked(f"pod-{number}-{number * 7919 % 65536:x}.jobs.svc.{CLUSTER}") for number in range(count)]


def popular(count: int) -> list[list[Asked]]:
    """What `count` applications ask each time they look a peer up: the pairs of A and AAAA that a libc sends.

    Two thirds are services by their full name; one third are outside names, which ndots:5 first tries below each search
    domain, each time for nothing.
    """
    return [
        _walk(f"api-{number}.example.com") if number % 3 == 2 else _pair(_service(number)) for number in range(count)
    ]


def mix(count: int, applications: int, seed: int = 1) -> Iterator[Asked]:
    """`count` questions of the realistic mix: applications by Zipf's law, UNIQUE_SHARE of it never asked before."""
    chosen = random.Random(seed)
    walks = popular(applications)
    weights = list(itertools.accumulate(1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(applications)))
    fresh = (f"build-{number}.ci.svc.{CLUSTER}" for number in itertools.count())
    asked = 0
    while asked < count:
        walk = chosen.choices(walks, cum_weights=weights)[0]
        asked += len(walk)
        yield from walk
        if chosen.random() < UNIQUE_SHARE * len(walk) / 2:
            asked += 2
            yield from _pair(next(fresh))


def _service(number: int) -> str:
    return f"backend-{number}.team-{number % 41}.svc.{CLUSTER}"


def _pair(name: str) -> list[Asked]:
    return [Asked(name, A), Asked(name, AAAA)]


def _walk(name: str) -> list[Asked]:
    return [asked for tried in (*(f"{name}.{domain}" for domain in SEARCH), name) for asked in _pair(tried)]
