"""Names that only a search list has made, completed where they are asked: one question of the client instead of four.

A pod with the usual search list asks for `api.example.com` in the namespace `shop` as `api.example.com.shop.svc.D`,
then as `api.example.com.svc.D`, then as `api.example.com.D`, and then as it is meant. Where the first of them does not
exist, the resolver can take the other steps itself. Which steps those are depends on what stands before `svc.D`, and
where that could be understood in two ways, nothing is completed: the client takes its own steps then, as ever.

Pure: a generator says which names to ask for and is told whether they exist; whoever runs it does the asking.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple

from resolver.message.query import MAX_NAME_BYTES

_SVC = b"\3svc"
_ROOT = b"\0"


class Ask(NamedTuple):
    """Does `name` exist? `as_asked`: as the servers see it, without a completion of its own."""

    name: bytes
    as_asked: bool = False


Steps = Generator[Ask, bool, bytes | None]
"""Is sent whether the name exists, returns the name that is meant, or None: there is no such name."""


def complete(
    name: bytes, domains: tuple[bytes, ...], searches: tuple[bytes, ...], is_missing: Callable[[bytes], bool]
) -> Steps | None:
    """The steps for a name that does not exist as asked (wire form, lower case); None: it is none to be completed.

    `domains` are those of the cluster, `searches` what search lists of pods end with (the node's own). `is_missing`
    tells whether a name is remembered not to exist.
    """
    for domain in domains:
        services = _SVC + domain
        if name.endswith(services):
            labels = _labels(name[: -len(services)] + _ROOT)
            if labels is None or len(labels) < 2:
                return None
            if len(labels) == 2:
                return _one_domain(labels, services, is_missing)
            return _search_list(labels, domain, searches, is_missing)
    if name.endswith(_SVC + _ROOT):
        labels = _labels(name)
        if labels is not None and len(labels) > 2:
            return _service(name[:-1], domains)
    return None


def _one_domain(labels: list[bytes], services: bytes, is_missing: Callable[[bytes], bool]) -> Steps:
    """`example.com.svc.D`: of a pod whose only search domain is `svc.D`, unless `com` is a namespace.

    In a namespace it is a Service that is not there, whose name must never leave the cluster. Nor if a client has asked
    for `example.com.svc` before, see below.
    """
    if is_missing(b"".join(labels) + _SVC + _ROOT) or (yield Ask(labels[-1] + services)):
        return None
    name = b"".join(labels) + _ROOT
    return name if (yield Ask(name)) else None


def _search_list(
    labels: list[bytes], domain: bytes, searches: tuple[bytes, ...], is_missing: Callable[[bytes], bool]
) -> Steps:
    """`api.example.com.shop.svc.D`: of a pod in the namespace `shop`.

    Not if `shop` is none, and not if `api.example.com.shop` or `api.example.com.shop.svc` is known not to exist: that
    is what a client has asked before, for which this is the last step of its own search, and it does not mean
    `api.example.com`.
    """
    services, written = _SVC + domain, b"".join(labels)
    if not (yield Ask(labels[-1] + services)) or is_missing(written + _ROOT) or is_missing(written + _SVC + _ROOT):
        return None
    name = b"".join(labels[:-1])
    for suffix in (services, domain):
        # Below a name that does not exist there is none (RFC 8020), and whether `com.svc.D` does is known by now.
        if (yield Ask(labels[-2] + suffix)) and (yield Ask(name + suffix, as_asked=True)):
            return name + suffix
    for suffix in (*searches, _ROOT):
        if len(name) + len(suffix) <= MAX_NAME_BYTES and (yield Ask(name + suffix)):
            return name + suffix
    return None


def _service(name: bytes, domains: tuple[bytes, ...]) -> Steps:
    """`web.shop.svc`, asked as it stands: there is no such top-level domain."""
    for domain in domains:
        if len(name) + len(domain) <= MAX_NAME_BYTES and (yield Ask(name + domain, as_asked=True)):
            return name + domain
    return None


def _labels(name: bytes) -> list[bytes] | None:
    """The labels with their length octets; None: the name was not cut between labels."""
    labels, offset = [], 0
    while length := name[offset]:
        end = offset + length + 1
        if end >= len(name):
            return None
        labels.append(name[offset:end])
        offset = end
    return labels if offset == len(name) - 1 else None
