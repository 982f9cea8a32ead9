"""Which names a Service or an EndpointSlice makes, as CoreDNS serves them: what a change of it changes. Pure.

Each object is a set of facts, `NAME VALUE` in one text: a name in relation to the Services of all domains ("web.shop"
for web.shop.svc.D), or with a dot at its end a name as it is. Two versions of an object differ in some facts, and the
names of those are exactly the ones whose answers have changed (https://github.com/kubernetes/dns, specification.md).
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from resolver.kubernetes.slices import service_of

HEADLESS_LABEL = "service.kubernetes.io/headless"
_NO_ADDRESS = "None"

Document = Mapping[str, Any]


def facts_of_service(document: Document) -> Iterator[str]:
    """A Service's own name, its ports' and those of its addresses."""
    metadata, spec = _mapping(document.get("metadata")), _mapping(document.get("spec"))
    namespace = str(metadata.get("namespace", ""))
    name = f"{metadata.get('name', '')}.{namespace}"
    yield f"{namespace} {name}"  # a namespace is a name, too, from its first Service on
    addresses = _texts(spec.get("clusterIPs")) or _texts([spec.get("clusterIP")])
    yield f"{name} {spec.get('type', '')} {spec.get('externalName', '')} {' '.join(addresses)}"
    for address in addresses:
        if reverse := _reverse(address):
            yield f"{reverse} {name}"
    yield from _ports(name, spec.get("ports"), "")


def facts_of_slice(document: Document) -> Iterator[str]:
    """The names of a slice's endpoints and their addresses; of a headless Service, that one's as well."""
    namespace, service = service_of(document)
    if not service:
        return
    name = f"{service}.{namespace}"
    headless = HEADLESS_LABEL in _mapping(_mapping(document.get("metadata")).get("labels"))
    for endpoint in _items(document.get("endpoints")):
        if _mapping(endpoint.get("conditions")).get("ready") is False:
            continue
        for address in _texts(endpoint.get("addresses")):
            own = f"{endpoint.get('hostname') or _dashed(address)}.{name}"
            yield f"{own} {address}"
            if reverse := _reverse(address):
                yield f"{reverse} {own}"
            if headless:
                yield f"{name} {address}"
                yield from _ports(name, document.get("ports"), own)


def pack(facts: Iterable[str]) -> bytes:
    """Facts as they are kept: as little as possible of each object."""
    return "\n".join(sorted(set(facts))).lower().encode()


def changed(before: bytes, after: bytes) -> set[str]:
    """The names whose facts differ."""
    if before == after:
        return set()
    differing = set(before.decode().split("\n")) ^ set(after.decode().split("\n"))
    return {fact.partition(" ")[0] for fact in differing} - {""}


def _ports(name: str, ports: object, target: str) -> Iterator[str]:
    for port in _items(ports):
        if port.get("name"):
            protocol = str(port.get("protocol") or "TCP")
            yield f"_{port['name']}._{protocol}.{name} {port.get('port')} {target}"


def _reverse(address: str) -> str:
    """The name under arpa, with its last dot; "" for what is no address."""
    try:
        return f"{ip_address(address).reverse_pointer}."
    except ValueError:
        return ""


def _dashed(address: str) -> str:
    return address.replace(".", "-").replace(":", "-")


def _texts(value: object) -> list[str]:
    found = value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, str) and each and each != _NO_ADDRESS]


def _items(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
