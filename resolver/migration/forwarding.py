"""The plugin `forward`, read: which servers, how, and what of its options has a key here."""

from collections.abc import Callable
from typing import NamedTuple

from resolver.config import ResolvConf, quantities
from resolver.migration.caddyfile import Directive
from resolver.migration.names import read_zone
from resolver.migration.quantities import duration, seconds_of
from resolver.migration.remarks import Grade, shown
from resolver.migration.tokens import Token

Tell = Callable[[Token, str, Grade, str], None]
"""(where, subject, grade, sentence)"""

_UPSTREAM = quantities.upstream()
_HOST_NAME = quantities.domain_name()
_DEFAULT_PORTS = {"udp": 53, "tcp": 53, "tls": 853}
_POLICIES = {"random": "random", "round_robin": "roundRobin", "sequential": "sequential"}
_ASKED_NEXT_HERE = {"SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"}
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.01, 4.0

OPTIONS: dict[str, tuple[Grade, str]] = {
    "max_fails": (
        Grade.NOTE,
        "a server that is silent is asked last and probed until it answers, whatever the number of its failures",
    ),
    "health_check": (
        Grade.NOTE,
        "a server that is down is probed from time to time, with a question of the resolver's own",
    ),
    "expire": (Grade.NOTE, "connections are kept open while they are good"),
    "max_age": (Grade.NOTE, "connections are kept open while they are good"),
    "max_idle_conns": (Grade.NOTE, "few connections carry many questions each"),
    "max_concurrent": (
        Grade.NOTE,
        "lookups under way are bounded by a number of the resolver's own (docs/architecture.md); beyond it, SERVFAIL",
    ),
    "max_connect_attempts": (Grade.NOTE, "a question ends within its zone's timeout here, after eight tries at most"),
    "failfast_all_unhealthy_upstreams": (
        Grade.CHANGED,
        "servers that are down are still tried, within attemptTimeout; a failure is remembered for seconds",
    ),
    "next": (Grade.LEFT_OUT, "a question goes to the servers of one zone here: name all of them in one"),
    "next_on_nodata": (Grade.LEFT_OUT, "an answer without data is an answer here, no other server is asked"),
    "source_address": (
        Grade.LEFT_OUT,
        "the kernel chooses the source address: a route can say which (ip route ... src)",
    ),
    "resolver": (Grade.LEFT_OUT, "upstreams are addresses: write the addresses of these names"),
    "doh_method": (Grade.LEFT_OUT, "servers are asked over TCP, UDP or TLS here, not over HTTPS"),
}
"""Options without a key. Not among them: those that `read_forward` reads."""


class Forward(NamedTuple):
    """One `forward`. `upstreams` are as resolver.yaml writes them; empty if nothing could be carried over."""

    where: Token
    zone: str
    upstreams: tuple[str, ...]
    transport: str
    policy: str
    excepted: tuple[str, ...] = ()
    attempt_timeout: str = ""


def read_forward(directive: Directive, tell: Tell) -> Forward | None:
    """None if it has no zone or no server to speak of; `tell` has heard why."""
    name, args = directive.name, directive.args
    if len(args) < 2:
        tell(name, "forward", Grade.LEFT_OUT, "it needs a zone and at least one server: CoreDNS would not start")
        return None
    try:
        zones = read_zone(args[0].text.rpartition("://")[2])
    except ValueError as error:
        tell(args[0], f"forward {args[0].text}", Grade.LEFT_OUT, str(error))
        return None
    options = {line.name.text: line for line in directive.body}
    servers = _Servers(tell, _one_word(options.get("tls_servername")))
    for each in args[1:]:
        servers.add(each)
    for line in directive.body:
        _judge_option(line, tell)
    transport, upstreams = servers.over_one_transport(name, options)
    return Forward(
        name,
        zones[0],
        upstreams,
        transport,
        _policy(options, upstreams),
        _excepted(options, tell),
        _attempt_timeout(options, tell),
    )


class _Servers:
    """The addresses of one `forward`, by whether they are asked over TLS."""

    def __init__(self, tell: Tell, tls_name: str) -> None:
        self._tell = tell
        self._tls_name = tls_name
        self._plain: list[str] = []
        self._tls: list[str] = []

    def add(self, token: Token) -> None:
        scheme, found, address = token.text.partition("://")
        if not found:
            scheme, address = "dns", token.text
        if scheme not in {"dns", "tls"}:
            self._lost(token, f"servers are asked over TCP, UDP or TLS here, not {scheme}")
        elif (
            scheme == "dns" and not address.startswith("/") and "%" in address.partition("]")[0] and ":" not in address
        ):
            self._plain_server(token, address.partition("%")[0])
        elif scheme == "dns":
            self._plain_server(token, address)
        else:
            self._tls_server(token, address)

    def _plain_server(self, token: Token, address: str) -> None:
        if text := _upstream(address, 53):
            self._plain.append(text)
        elif "/" in address or not any(letter.isdigit() for letter in address):
            self._lost(token, "not an address: files are given by their absolute path here, and servers by address")
        else:
            self._lost(token, "not an address that a server can have")

    def _tls_server(self, token: Token, address: str) -> None:
        address, _, name = address.partition("%")
        name, _, port = name.partition(":")
        address = f"{address}:{port}" if port else address
        text = _upstream(address, 853)
        if not text or text.startswith("/"):
            self._lost(token, "not an address that a server can have")
            return
        name = name.strip("]")
        if name and not _is_host(name):
            self._lost(token, "not a host name behind %: certificates have to carry the address")
        name = name or self._tls_name
        self._tls.append(f"{text}#{name.lower()}" if name and _is_host(name) else text)

    def over_one_transport(self, where: Token, options: dict[str, Directive]) -> tuple[str, tuple[str, ...]]:
        """Transport and servers. Of a mixture those remain that are asked over TLS."""
        if self._tls and self._plain:
            self._tell(
                where,
                "forward",
                Grade.LEFT_OUT,
                f"a zone has one transport here, and this one is tls: {', '.join(self._plain)} left out",
            )
        if self._tls:
            return "tls", tuple(dict.fromkeys(self._tls))
        return "tcp" if "force_tcp" in options else "udp", tuple(dict.fromkeys(self._plain))

    def _lost(self, token: Token, sentence: str) -> None:
        self._tell(token, f"forward ... {token.text}", Grade.LEFT_OUT, sentence)


def _upstream(address: str, port: int) -> str:
    """An address as resolver.yaml writes it, without the port where it is the transport's own; "" if it is none."""
    try:
        found = _UPSTREAM.parse(address)
    except ValueError:
        return ""
    if isinstance(found, ResolvConf):
        return found.path
    if found.port in (port, quantities.PORT_OF_TRANSPORT):
        return found.address
    return f"[{found.address}]:{found.port}" if ":" in found.address else f"{found.address}:{found.port}"


def _is_host(name: str) -> bool:
    try:
        return _HOST_NAME.parse(name) != "." and "/" not in name
    except ValueError:
        return False


def _one_word(line: Directive | None) -> str:
    return line.words[0] if line is not None and line.words else ""


def _policy(options: dict[str, Directive], upstreams: tuple[str, ...]) -> str:
    """CoreDNS's default is random; with one server there is nothing to choose."""
    if len(upstreams) == 1 and not upstreams[0].startswith("/"):
        return "sequential"
    return _POLICIES.get(_one_word(options.get("policy")), "random")


def _excepted(options: dict[str, Directive], tell: Tell) -> tuple[str, ...]:
    line = options.get("except")
    found: list[str] = []
    for each in line.args if line else ():
        try:
            found += read_zone(each.text)
        except ValueError as error:
            tell(each, f"forward: except {each.text}", Grade.LEFT_OUT, str(error))
    return tuple(found)


def _attempt_timeout(options: dict[str, Directive], tell: Tell) -> str:
    line = options.get("read_timeout")
    if line is None:
        return ""
    seconds = seconds_of(_one_word(line))
    if seconds is None:
        tell(line.name, "forward: read_timeout", Grade.LEFT_OUT, "not a duration")
        return ""
    used = min(max(seconds, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    if used != seconds:
        tell(line.name, "forward: read_timeout", Grade.CHANGED, f"attemptTimeout is {duration(used)}")
    return duration(used)


def _judge_option(line: Directive, tell: Tell) -> None:
    name, words = line.name.text, line.words
    subject = f"forward: {name}"
    if name in OPTIONS:
        tell(line.name, subject, *OPTIONS[name])
    elif name == "failover":
        others = sorted({word.upper() for word in words} - _ASKED_NEXT_HERE)
        if others:
            tell(line.name, subject, Grade.LEFT_OUT, f"{', '.join(others)} is an answer here, no other server is asked")
        else:
            tell(line.name, subject, Grade.NOTE, "it is so here: after such an answer the next server is asked")
    elif name == "tls" and words:
        tell(
            line.name,
            subject,
            Grade.LEFT_OUT,
            "servers are verified with the system's authorities, and get no certificate of the client",
        )
    elif name == "tls_servername" and not _is_host(_one_word(line)):
        tell(line.name, subject, Grade.LEFT_OUT, "not a host name")
    elif name == "policy" and _one_word(line) not in _POLICIES:
        tell(line.name, subject, Grade.CHANGED, f"{shown(_one_word(line))!r} is not known to CoreDNS; random it is")
    elif name not in {"except", "force_tcp", "policy", "prefer_udp", "read_timeout", "tls", "tls_servername"}:
        tell(line.name, subject, Grade.LEFT_OUT, "not an option that is known here")
