"""Where a Corefile listens: `bind`, the ports of its keys, `prometheus`, `health`; and what node-cache's flags add.

CoreDNS has these per server block, the resolver once. So they are collected over all blocks, and what does not fit
together is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resolver.config import quantities
from resolver.migration.caddyfile import Directive
from resolver.migration.forwarding import Tell
from resolver.migration.manifests import is_on
from resolver.migration.names import Key
from resolver.migration.remarks import Grade
from resolver.migration.tokens import Token

DEVICE = "nodelocaldns"
"""The name of NodeLocal DNSCache's device, and of the resolver's."""
OTHER_DEVICE = "localdns"
"""NodeLocal DNSCache removes the device of its name when it ends, whoever uses it by then."""
WILDCARDS = ("0.0.0.0", "::")
_SHARED = (
    "/metrics stays at port {}; while NodeLocal DNSCache runs on the same node as well, give admin.port another one, "
    "or probes and scrapes meet either of them"
)
_ADDRESS = quantities.address()
_ALL_HERE = "all zones are answered on all of listen.addresses"


@dataclass(slots=True)
class Endpoints:
    """`addresses` in order, each once; `ports` by how many blocks use them; `admin` is None where nothing is said."""

    addresses: dict[str, None] = field(default_factory=dict)
    port: int = 53
    metrics: tuple[str, int] | None = None
    health: tuple[str, int] | None = None
    queries: bool = False
    first_bind: frozenset[str] | None = None
    where: Token | None = None
    """The first `bind`, if there is one."""

    @property
    def admin(self) -> tuple[str, int] | None:
        """Where the admin endpoints belong."""
        return self.metrics or self.health


def choose_port(keys: list[tuple[Token, Key]]) -> int:
    """The port of most keys; of equals the first."""
    ports = [key.port for _, key in keys if key.scheme == "dns"]
    return max(ports, key=ports.count) if ports else 53


def read_bind(directives: list[Directive], where: Token, found: Endpoints, tell: Tell) -> None:
    """All `bind` of one block together; without one it listens everywhere."""
    bound: dict[str, None] = {}
    found.where = found.where or (directives[0].name if directives else None)
    for directive in directives:
        for each in directive.args:
            address = _address(each.text)
            if address is None:
                tell(
                    each,
                    f"bind {each.text}",
                    Grade.LEFT_OUT,
                    "an interface (or no address): write its addresses to listen.addresses",
                )
            else:
                bound[address] = None
        for line in directive.body:
            tell(line.name, "bind: except", Grade.LEFT_OUT, "listen.addresses names addresses, not exceptions")
    if not directives:
        bound = dict.fromkeys(WILDCARDS)
    if found.first_bind is not None and found.first_bind != frozenset(bound):
        tell(directives[0].name if directives else where, "bind", Grade.CHANGED, _ALL_HERE)
    found.first_bind = found.first_bind or frozenset(bound)
    found.addresses.update(bound)


def _address(text: str) -> str | None:
    try:
        return _ADDRESS.parse(text)
    except ValueError:
        return None


def read_metrics(directive: Directive, found: Endpoints, tell: Tell) -> None:
    """`prometheus [ADDRESS]`"""
    place = _place(directive, ("127.0.0.1", 9153))
    if place is None:
        tell(directive.name, "prometheus", Grade.LEFT_OUT, "not ADDRESS:PORT")
        return
    if found.metrics is None:
        found.metrics = place
        tell(directive.name, "prometheus", Grade.NOTE, _SHARED.format(place[1]))
    elif place != found.metrics:
        tell(directive.name, "prometheus", Grade.CHANGED, f"/metrics of all zones is at port {found.metrics[1]}")


def read_health(directive: Directive, found: Endpoints, tell: Tell) -> None:
    """`health [ADDRESS] { lameduck DURATION }`"""
    place = _place(directive, ("0.0.0.0", 8080))
    if place is None:
        tell(directive.name, "health", Grade.LEFT_OUT, "not ADDRESS:PORT")
        return
    found.health = found.health or place
    tell(
        directive.name,
        "health",
        Grade.NOTE,
        "/health is at admin.address and admin.port with the other pages, and fails when the resolver does not answer",
    )
    for line in directive.body:
        tell(
            line.name,
            "health: lameduck",
            Grade.NOTE,
            "at its end the resolver answers what it has read; see node.handoverSocket",
        )


def read_log(directive: Directive, found: Endpoints, tell: Tell) -> None:
    """`log [NAMES] [FORMAT] { class CLASSES }`"""
    found.queries = True
    if directive.args or directive.body:
        tell(
            directive.name,
            "log",
            Grade.CHANGED,
            "log.queries writes every query of every zone, in the resolver's own form",
        )
    else:
        tell(directive.name, "log", Grade.NOTE, "log.queries is for all zones")


def _place(directive: Directive, default: tuple[str, int]) -> tuple[str, int] | None:
    if not directive.args:
        return default
    host, _, port = directive.words[0].rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and 1 <= int(port) <= 65535):
        return None
    host = host.strip("[]").replace("localhost", "127.0.0.1") or "0.0.0.0"
    address = _address(host)
    return None if address is None else (address, int(port))


@dataclass(slots=True)
class OnNode:
    """What is to be done on the node; `interface` is "" for the default."""

    manage: bool
    notrack: bool
    interface: str = ""


def on_node(found: Endpoints, flags: Mapping[str, str] | None, tell: Tell, where: Token) -> OnNode:
    """What node-cache does beside CoreDNS. Without its `flags` it is taken to do what it does by default."""
    known = flags or {}
    where = found.where or where
    local = [each for word in known.get("localip", "").split(",") if (each := _address(word.strip()) or "")]
    manage = is_on(known, "setupinterface", default=True)
    wild = [each for each in found.addresses if each in WILDCARDS]
    if wild and local and manage:
        found.addresses = dict.fromkeys(local)
        tell(where, "bind", Grade.CHANGED, f"answered on are the addresses of -localip ({', '.join(local)}), no others")
    elif wild:
        found.addresses = {each: None for each in found.addresses if each in WILDCARDS or not _covered(each, wild)}
        tell(
            where,
            "bind",
            Grade.NOTE,
            "answered on is every address, and node.* is off: if pods ask one, write that to listen.addresses",
        )
        return OnNode(manage=False, notrack=False)
    for each in local:
        if not wild and each not in found.addresses:
            tell(where, "-localip", Grade.NOTE, f"{each} is in no bind: it is not answered on")
    theirs = known.get("interfacename", DEVICE)
    return OnNode(
        manage, is_on(known, "setupiptables", default=True), OTHER_DEVICE if manage and theirs == DEVICE else ""
    )


def _covered(address: str, wild: list[str]) -> bool:
    return (":" in address and "::" in wild) or (":" not in address and "0.0.0.0" in wild)
