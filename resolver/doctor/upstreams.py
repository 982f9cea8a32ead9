"""Each zone's upstreams, asked a real question, and the resolver itself, asked the same."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from resolver.config import Config, ResolvConf, Transport, Upstream, Zone, parse_resolv_conf
from resolver.doctor.asking import Heard, ask
from resolver.doctor.findings import Finding, State, ok, problem
from resolver.message import codes
from resolver.ops.watch import read_text

_TRIES = 3
_AT_ONCE = 8
_SLOW_SECONDS = 0.2
_ANSWERS = ("NOERROR", "NXDOMAIN")


class _Asked(NamedTuple):
    upstream: Upstream
    zone: Zone
    tries: list[Heard]
    otherwise: Heard | None
    """The same over UDP, where the zone's transport brought nothing."""


def look_at_upstreams(config: Config) -> Iterator[Finding]:
    """Ask each server of each zone a few times, at the same time as the others."""
    to_ask: list[tuple[Upstream, Zone]] = []
    for zone in config.zones:
        servers, findings = _servers(zone)
        yield from findings
        own = [each for each in servers if each.address in config.listen.addresses and each.port == config.listen.port]
        for each in own:
            yield Finding(
                "upstream", State.NOTE,
                f"{each} is the resolver itself, which never asks itself: it is left out of zone {zone.names[0]}",
                "name the servers that the node would have without it",
            )  # fmt: skip
        to_ask += [(each, zone) for each in servers if each not in own]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for asked in threads.map(lambda pair: _ask(*pair), to_ask):
            yield _judge(asked)


def look_at_resolver(config: Config) -> Iterator[Finding]:
    """Ask the resolver for a name of each zone."""
    listen = config.listen
    at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.addresses[0], listen.addresses[0])
    for zone in config.zones:
        name, qtype = _question(zone)
        heard = ask(Upstream(at, listen.port), Transport.UDP, name, qtype)
        if heard.rcode in _ANSWERS:
            yield ok("resolver", f"{name} was answered with {heard.rcode} in {1000 * heard.seconds:.1f} ms")
        elif heard.rcode:
            yield problem(
                "resolver", f"{name} was answered with {heard.rcode}{f': {heard.why}' if heard.why else ''}",
                "the lines about upstreams above say which server does not answer"
                if heard.rcode == "SERVFAIL"
                else "is this address in listen.allowedClients?",
            )  # fmt: skip
        else:
            yield problem("resolver", f"{name}: {heard.why}", "see the lines about addresses and ports above")


def _servers(zone: Zone) -> tuple[list[Upstream], list[Finding]]:
    servers: dict[Upstream, None] = {}
    findings = []
    for upstream in zone.upstreams:
        if isinstance(upstream, ResolvConf):
            try:
                named = parse_resolv_conf(read_text(upstream.path))
            except OSError as error:
                says = f"{upstream.path}, for zone {zone.names[0]}, cannot be read: {error.strerror or error}"
                findings.append(problem("upstream", says, "name a file that the resolver's user may read"))
                continue
            if not named:
                says = f"{upstream.path} names no servers, so zone {zone.names[0]} has none from there"
                findings.append(problem("upstream", says, "put nameserver lines into it, or name addresses instead"))
            servers |= dict.fromkeys(Upstream(address, zone.transport.default_port) for address in named)
        elif isinstance(upstream, Upstream):
            servers[upstream] = None
        elif upstream.address:  # what is asked until its endpoints are known
            servers[Upstream(upstream.address, upstream.port)] = None
    return list(servers), findings


def _question(zone: Zone) -> tuple[str, int]:
    """A question that a server of the zone can answer without asking anybody: the start of its authority."""
    return (".", codes.NS) if "." in zone.names else (zone.names[0] + ".", codes.SOA)


def _ask(upstream: Upstream, zone: Zone) -> _Asked:
    tries: list[Heard] = []
    for _ in range(_TRIES):
        tries.append(ask(upstream, zone.transport, *_question(zone)))
        if not tries[-1].rcode:
            break  # it was waited for long enough
    failed = not tries[-1].rcode and zone.transport is Transport.TCP
    return _Asked(upstream, zone, tries, ask(upstream, Transport.UDP, *_question(zone)) if failed else None)


def _judge(asked: _Asked) -> Finding:
    """Pure."""
    last = asked.tries[-1]
    who = f"{asked.upstream} over {asked.zone.transport.value.upper()}, for zone {asked.zone.names[0]}"
    if not last.rcode:
        if asked.otherwise is not None and asked.otherwise.rcode:
            return problem(
                "upstream", f"{who}: {last.why}; over UDP it answers",
                "something between blocks TCP to port 53: allow it, or set transport: udp for this zone",
            )  # fmt: skip
        return problem(
            "upstream", f"{who}: {last.why}",
            "is the address right, and is there a way from this network to it (a firewall, a NetworkPolicy of the "
            "cluster's DNS)? The pods behind a Service address are told by "
            "kubectl -n kube-system get endpointslices -l k8s-app=kube-dns",
        )  # fmt: skip
    took = sorted(each.seconds for each in asked.tries)[len(asked.tries) // 2]
    says = f"{who}: {last.rcode} in {1000 * took:.1f} ms"
    if last.rcode not in _ANSWERS:
        return problem(
            "upstream", f"{says}{f' ({last.why})' if last.why else ''}",
            "it is there and does not answer for this zone: is it the right server, and may this node ask it?",
        )  # fmt: skip
    if took > _SLOW_SECONDS:
        return Finding("upstream", State.NOTE, says, "slow: answers expire here and stale ones are served meanwhile")
    return ok("upstream", says)
