"""What a configuration asks of the node, as plain values: addresses to assign, rules to set.

Not assigned are addresses that every machine has (loopback), that stand for all (0.0.0.0, ::) or that name the
interface they belong to (a scope id). Rules leave out those that stand for all, too: they would take everybody's DNS
on this node out of conntrack, and with it out of address translation.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from resolver.config.values import Admin, Listen, Node
from resolver.node.rules import Rules, write_rules

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


class Plan(NamedTuple):
    """`device` is "" and `assign` empty where the interface is not managed; `rules` is None where none are wanted."""

    device: str
    assign: tuple[str, ...]
    rules: Rules | None
    reach: tuple[str, ...]
    """Addresses that the self-test can ask."""
    port: int


def plan(node: Node, listen: Listen, admin: Admin) -> Plan:
    """The plan of this configuration."""
    if not (node.manage_interface or node.notrack):
        return Plan("", (), None, (), listen.port)
    places = [(address, _parsed(address)) for address in listen.addresses]
    specific = tuple(address for address, parsed in places if not parsed.is_unspecified)
    managed = tuple(
        address for address, parsed in places if not (parsed.is_unspecified or parsed.is_loopback or "%" in address)
    )
    rules = None
    if node.notrack and specific:
        rules = write_rules(map(_bare, specific), listen.port, _admin_addresses(admin, specific), admin.port)
    return Plan(
        device=node.interface if node.manage_interface and managed else "",
        assign=managed if node.manage_interface else (),
        rules=rules,
        reach=specific,
        port=listen.port,
    )


def _admin_addresses(admin: Admin, specific: Iterable[str]) -> list[str]:
    """Where probes and scrapes meet the rules: nowhere on loopback, and of all addresses only those of the resolver."""
    address = _parsed(admin.address)
    if address.is_loopback:
        return []
    if not address.is_unspecified:
        return [_bare(admin.address)]
    return [_bare(each) for each in specific if _parsed(each).version == address.version]


def _parsed(address: str) -> "IPv4Address | IPv6Address":
    from ipaddress import ip_address  # noqa: PLC0415 - 0.2 MiB for who changes nothing of the node

    return ip_address(_bare(address))


def _bare(address: str) -> str:
    return address.partition("%")[0]
