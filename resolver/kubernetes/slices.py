"""EndpointSlices (discovery.k8s.io/v1) made into small values: what of them matters to who asks their endpoints. Pure.

A slice is what the API server sends, so it is read with care and not with trust: what is not as the API's types say is
left out, and never raises.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

SERVICE_LABEL = "kubernetes.io/service-name"


class Ports(NamedTuple):
    """Where endpoints answer DNS; 0: not over this protocol."""

    tcp: int = 0
    udp: int = 0


class Endpoint(NamedTuple):
    """One address of a slice."""

    address: str
    ports: Ports
    ready: bool
    """Takes new questions."""
    leaving: bool
    """Is about to end, and still answers."""
    zones: tuple[str, ...]
    """For which zones the hints name it; none: there is no hint."""


Slice = tuple[Endpoint, ...]


def read_slice(document: Mapping[str, Any]) -> Slice:
    """The endpoints of one EndpointSlice that can be asked at all; of names (addressType FQDN) there are none."""
    ports = _ports(_items(document.get("ports")))
    if ports == Ports():
        return ()
    found = []
    for each in _items(document.get("endpoints")):
        addresses = each.get("addresses")
        address = _address(addresses[0]) if isinstance(addresses, list) and addresses else ""
        conditions = _mapping(each.get("conditions"))
        ready = conditions.get("ready") is not False  # nothing said means ready
        leaving = not ready and conditions.get("serving") is True and conditions.get("terminating") is True
        if address and (ready or leaving):
            found.append(Endpoint(address, ports, ready, leaving, _zones(each)))
    return tuple(found)


def service_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace and name of the Service that a slice belongs to; the name is "" where it belongs to none."""
    metadata = _mapping(document.get("metadata"))
    return str(metadata.get("namespace", "")), str(_mapping(metadata.get("labels")).get(SERVICE_LABEL, ""))


def name_of(document: Mapping[str, Any]) -> str:
    """namespace/name."""
    metadata = _mapping(document.get("metadata"))
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"


def _ports(ports: list[Mapping[str, Any]]) -> Ports:
    """The port for DNS of each protocol: a Service of DNS has others beside it, for metrics."""
    return Ports(_port(ports, "TCP"), _port(ports, "UDP"))


def _port(ports: list[Mapping[str, Any]], protocol: str) -> int:
    of_protocol = [each for each in ports if each.get("protocol", "TCP") == protocol and _is_port(each.get("port"))]
    of_protocol.sort(key=lambda each: (not str(each.get("name", "")).startswith("dns"), each["port"] != 53))
    return int(of_protocol[0]["port"]) if of_protocol else 0


def _is_port(value: object) -> bool:
    return isinstance(value, int) and 0 < value < 65536


def _zones(endpoint: Mapping[str, Any]) -> tuple[str, ...]:
    hinted: Iterable[Mapping[str, Any]] = _items(_mapping(endpoint.get("hints")).get("forZones"))
    return tuple(str(each.get("name", "")) for each in hinted)


def _address(value: object) -> str:
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    return "" if address is None or address.is_unspecified or address.is_multicast else str(address)


def _items(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
