"""A plan as YAML, with a comment above each zone that says where it came from: resolver.yaml, or values of the chart.

The chart makes listen, node and admin of its own values. Zones are written whole: a list replaces the generated one.
"""

import json
import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from resolver.migration.convert import Plan
from resolver.migration.quantities import duration
from resolver.migration.remarks import shown
from resolver.migration.zones import Entry

TIMEOUT = "4s"
"""Pods that nobody changed wait five seconds for an answer; CoreDNS takes as long."""
_PLAIN = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+|(?:\d{1,3}\.){3}\d{1,3}|(?:/[A-Za-z][A-Za-z0-9._-]*)+", re.ASCII)


def resolver_yaml(plan: Plan, file: str) -> str:
    """The text of a resolver.yaml."""
    lines = [
        f"# Converted from {shown(file)} by nodelocaldns-resolver --convert-corefile.",
        "listen:",
        f"  addresses: {_list(plan.addresses)}",
        *([f"  port: {plan.port}"] if plan.port != 53 else []),
        *_zones(plan),
        *_cache(plan),
        *_node(plan),
        *_admin(plan),
        *(["log:", "  queries: true"] if plan.queries else []),
    ]
    return "\n".join(lines) + "\n"


SERVICE = "nodelocaldns-upstream"
"""A Service of one's own for the pods of the cluster's DNS: NodeLocal DNSCache's goes with its manifest."""


def chart_values(plan: Plan, file: str) -> str:
    """The text of values for the chart. Where pods are injected is left to whoever installs it."""
    reference = f"$({SERVICE.upper().replace('-', '_')}_SERVICE_HOST)"
    own = plan._replace(zones=tuple(_asking(entry, plan.cluster_dns, reference) for entry in plan.zones))
    mode, dns = _places(plan)
    config = [*_zones(own), *_cache(plan), *(["log:", "  queries: true"] if plan.queries else [])]
    if mode != "podNetwork":
        config += _node(plan)
    if not dns:
        config += ["listen:", f"  addresses: {_list(plan.addresses)}", f"  port: {plan.port}"]
    lines = [
        f"# Converted from {shown(file)} by nodelocaldns-resolver --convert-corefile.",
        "dns:",
        *(f"  {name}: {_text(address)}" for name, address in dns.items()),
        "  # kube-dns-upstream is NodeLocal DNSCache's.",
        "  upstreamService:",
        f"    name: {SERVICE}",
        "resolver:",
        f"  mode: {mode}",
        "  config:",
        *(f"    {line}" for line in config),
    ]
    return "\n".join(lines) + "\n"


def _asking(entry: Entry, address: str, reference: str) -> Entry:
    upstreams = tuple(reference if each == address else each for each in entry.treatment.upstreams)
    return entry._replace(treatment=entry.treatment._replace(upstreams=upstreams))


def _places(plan: Plan) -> tuple[str, dict[str, str]]:
    """The mode, and the keys below `dns` that say where to answer; none if they cannot say it."""
    parsed = [ip_address(address) for address in plan.addresses]
    if any(address.is_unspecified for address in parsed):
        return "podNetwork", {"localAddress": "169.254.20.10"}
    found: dict[str, str] = {}
    for address in parsed:
        family = "" if address.version == 4 else "IPv6"
        name = f"localAddress{family}" if f"localAddress{family}" not in found else f"clusterDNS{family}"
        if name in found:
            return "linkLocal", {}
        found[name] = str(address)
    if "localAddress" not in found or plan.port != 53:
        return "linkLocal", {}
    return "transparent" if "clusterDNS" in found else "linkLocal", found


def _zones(plan: Plan) -> Iterator[str]:
    yield "# timeout: pods that nobody changed wait 5 s. Opted-in pods ask the cluster DNS after 1 s in any case."
    yield "zones:"
    for entry in plan.zones:
        yield from (f"  # {shown(origin)}" for origin in entry.origins)
        yield from _zone(entry)


def _zone(entry: Entry) -> Iterator[str]:
    treatment = entry.treatment
    yield f"  - names: {_list(entry.names)}"
    yield f"    upstreams: {_list(treatment.upstreams)}"
    yield f"    transport: {treatment.transport}"
    yield f"    policy: {treatment.policy}"
    yield f"    maxTTL: {treatment.max_ttl}"
    yield f"    maxNTTL: {treatment.max_nttl}"
    if treatment.attempt_timeout:
        yield f"    attemptTimeout: {treatment.attempt_timeout}"
    yield f"    timeout: {TIMEOUT}"
    if treatment.serve_stale:
        yield f"    serveStale: {_text(treatment.serve_stale)}"


def _cache(plan: Plan) -> Iterator[str]:
    if plan.cache_mebibytes is None and plan.stale_after_seconds is None:
        return
    yield "cache:"
    if plan.cache_mebibytes is not None:
        yield f"  size: {plan.cache_mebibytes}Mi"
    if plan.stale_after_seconds is not None:
        yield f"  staleAfter: {_text(duration(plan.stale_after_seconds))}"


def _node(plan: Plan) -> Iterator[str]:
    node = plan.node
    yield "node:"
    yield f"  manageInterface: {str(node.manage).lower()}"
    if node.interface:
        yield "  # Not NodeLocal DNSCache's, which removes the device of its name when it ends."
        yield f"  interface: {_text(node.interface)}"
    yield f"  notrack: {str(node.notrack).lower()}"


def _admin(plan: Plan) -> Iterator[str]:
    if plan.admin is not None:
        yield "admin:"
        yield f"  address: {_text(plan.admin[0])}"
        yield f"  port: {plan.admin[1]}"


def _list(items: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, items))}]"


def _text(text: str) -> str:
    """In quotes unless it can be nothing but a text: `no` and `1.5` are domain names, too."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
