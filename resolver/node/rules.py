"""The resolver's table in nftables, as the text of one transaction.

`notrack` stands at the raw priority (-300), before conntrack (-200) and so before kube-proxy's address translation: a
packet that conntrack never saw is not translated, which is how questions to the cluster DNS's service address stay on
the node where that address is one of ours. Both directions at both hooks, because a question of the node itself passes
`output`, then `prerouting` on loopback, and so does its reply. The accept rules are those of NodeLocal DNSCache; in a
table of one's own they end the way through that table only, see docs/node.md.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

TABLE: Final = "nodelocaldns"
"""Of the family inet: both IP versions in one table."""
_DNS = "meta l4proto {{ tcp, udp }} {family} {side}addr {{ {addresses} }} th {side}port {port}"
_ADMIN = "{family} {side}addr {{ {addresses} }} tcp {side}port {port}"
REMOVE: Final = f"add table inet {TABLE}\ndelete table inet {TABLE}\n"
"""One transaction that leaves no table of ours, also where there is none: adding one that exists changes nothing."""


class Rules(NamedTuple):
    """`put` is one transaction that replaces whatever is in our table; `total` is how many rules are there then.

    `replies` is one that leaves the rules for what is still to be said: questions go where they would go without us.
    """

    put: str
    total: int
    replies: str


def write_rules(listen: Iterable[str], port: int, admin: Iterable[str], admin_port: int) -> Rules:
    """Rules for questions to `listen` (addresses of both families) at `port`, and TCP to `admin` at `admin_port`."""
    dns = list(_by_family(listen))
    to = [_DNS.format(family=family, side="d", addresses=each, port=port) for family, each in dns]
    back = [_DNS.format(family=family, side="s", addresses=each, port=port) for family, each in dns]
    admins = [
        _ADMIN.format(family=family, side=side, addresses=each, port=admin_port)
        for family, each in _by_family(admin)
        for side in "ds"
    ]
    put, total = _table([*to, *back, *admins], to, back)
    # A reply that conntrack saw would be the beginning of a flow, and the next question from the same port, which is
    # part of that flow then, would not be translated.
    replies, _ = _table([*back, *admins], to, back)
    return Rules(put, total, replies)


def _table(untracked: Iterable[str], to: Iterable[str], back: Iterable[str]) -> tuple[str, int]:
    """The transaction that makes it, and how many rules it has."""
    notrack = [f"{match} notrack" for match in untracked]
    chains = (
        ("prerouting", "prerouting", -300, notrack),
        ("output", "output", -300, notrack),
        ("input_accept", "input", 0, [f"{match} accept" for match in to]),
        ("output_accept", "output", 0, [f"{match} accept" for match in back]),
    )
    text = "".join(_chain(*chain) for chain in chains)
    return f"{REMOVE}table inet {TABLE} {{\n{text}}}\n", sum(len(rules) for *_, rules in chains)


def _by_family(addresses: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The word for a family and its addresses, for the families that have any; each address once."""
    from ipaddress import ip_address  # noqa: PLC0415 - as in `plan`

    parsed = [ip_address(address) for address in dict.fromkeys(addresses)]
    for family, version in (("ip", 4), ("ip6", 6)):
        if of_family := [str(address) for address in parsed if address.version == version]:
            yield family, ", ".join(of_family)


def _chain(name: str, hook: str, priority: int, rules: Sequence[str]) -> str:
    body = "".join(f"\t\t{rule}\n" for rule in rules)
    return f"\tchain {name} {{\n\t\ttype filter hook {hook} priority {priority}; policy accept;\n{body}\t}}\n"
