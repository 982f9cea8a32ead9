"""The keys of server blocks: which zone they mean, on which port (CoreDNS: plugin/normalize.go, plugin/pkg/cidr)."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from resolver.config import quantities

SCHEMES = {"dns": 53, "tls": 853, "quic": 853, "grpc": 443, "https": 443, "https3": 443}
_DOMAIN = quantities.domain_name()


class Key(NamedTuple):
    """A key, read. `zones` are several for a network that does not end where labels of reverse names do."""

    scheme: str
    zones: tuple[str, ...]
    port: int


def read_key(text: str) -> Key:
    """Raises ValueError with a sentence."""
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "dns", text
    elif scheme not in SCHEMES:
        raise ValueError(f"{scheme}:// is not known to CoreDNS")
    name, colon, port_text = rest.rpartition(":")
    port = SCHEMES[scheme]
    if colon and port_text.isascii() and port_text.isdecimal() and len(port_text) < 6:
        port = int(port_text)
    elif colon and not port_text:
        raise ValueError("a port is missing after the last colon")
    else:
        name = rest
    return Key(scheme, read_zone(name or "."), port)


def read_zone(text: str) -> tuple[str, ...]:
    """The zones of a domain name or a network. Raises ValueError with a sentence."""
    if "/" in text:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            pass
        else:
            return reverse_zones(network)
    try:
        return (_DOMAIN.parse(text),)
    except ValueError:
        raise ValueError("not a domain name that a zone can have here") from None


def reverse_zones(network: IPv4Network | IPv6Network) -> tuple[str, ...]:
    """The zones that hold the reverse names of a network: one, or several between two places where labels end."""
    step = 8 if network.version == 4 else 4
    length = -(-network.prefixlen // step) * step
    labels = length // step
    total = network.max_prefixlen // step
    parts = network.subnets(new_prefix=length)
    return tuple(".".join(part.network_address.reverse_pointer.split(".")[total - labels :]) for part in parts)


def is_below(name: str, zone: str) -> bool:
    """Whether a name is the zone's, or of one below it."""
    return zone in {".", name} or name.endswith(f".{zone}")


def depth(name: str) -> int:
    """The number of labels."""
    return 0 if name == "." else name.count(".") + 1
