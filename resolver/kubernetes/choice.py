"""Which of a Service's endpoints this node asks: a handful, so that 2,000 nodes do not each connect to all. Pure.

Every node ranks the endpoints by a hash of its own name and theirs (rendezvous hashing) and takes the first few. So
nodes spread evenly without knowing each other, and when an endpoint comes or goes, only nodes that take it, or took it,
change anything. How even that is: docs/kubernetes.md, printed by `python -m benchmarks.spread`.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from resolver.kubernetes.slices import Endpoint

MOST: Final = 6
"""Endpoints that a node asks, at most. Two would do to choose between; with six, one that is gone or slow is a sixth of
the questions until it shows, and the load of 125 endpoints by 2,000 nodes stays within a third of its mean."""


def choose(endpoints: Iterable[Endpoint], node: str, zone: str, like: str, most: int = MOST) -> list[Endpoint]:
    """The endpoints that `node` asks, in an order that says nothing.

    Those that are ready, or, where none is, those that are leaving and still serve; of them the ones whose hints name
    `zone`, if each has hints and any names it; and of those the family of the address `like`, if there are any.
    """
    candidates = _usable(endpoints)
    candidates = _hinted(candidates, zone)
    family = [each for each in candidates if (":" in each.address) == (":" in like)] if like else []
    candidates = family or candidates
    candidates.sort(key=lambda each: _rank(node, each.address), reverse=True)
    return sorted(candidates[:most], key=lambda each: each.address)


def _usable(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    known: dict[str, Endpoint] = {}
    for each in endpoints:
        if each.ready or each.address not in known:  # while slices are rearranged, one may be in two of them
            known[each.address] = each
    ready = [each for each in known.values() if each.ready]
    return ready or list(known.values())


def _hinted(endpoints: list[Endpoint], zone: str) -> list[Endpoint]:
    """As kube-proxy does: hints count only where all endpoints have them and some are for this zone."""
    if not zone or not all(each.zones for each in endpoints):
        return endpoints
    return [each for each in endpoints if zone in each.zones] or endpoints


def _rank(node: str, address: str) -> bytes:
    return blake2b(f"{node} {address}".encode(), digest_size=8).digest()
