"""A Corefile to the settings of resolver.yaml: every directive of every block gets a verdict, and none is passed over.

Pure: text in, a plan and remarks out. `writing.py` makes text of the plan.
"""

from collections.abc import Mapping
from typing import NamedTuple

from resolver.migration import endpoints as ep
from resolver.migration.blocks import Reading
from resolver.migration.caching import NOT_CACHED
from resolver.migration.caddyfile import Corefile, Directive, parse
from resolver.migration.forwarding import Forward, Tell, read_forward
from resolver.migration.inputs import Input, MigrationError
from resolver.migration.kubedns import KubeDns, read_kube_dns
from resolver.migration.remarks import Grade, Ledger, Remark, Source, shown
from resolver.migration.tokens import CorefileError, Token, read_tokens
from resolver.migration.variables import CLUSTER_DNS, LOCAL_DNS, UPSTREAM_SERVERS, Values, advice
from resolver.migration.zones import Entry, Server, entries

_BYTES_PER_ANSWER = 800
_DEFAULT_MEBIBYTES = 16
_TOP = Token("", 1, 1)


class Plan(NamedTuple):
    """All that resolver.yaml has to say. Sizes are in MiB; None is the resolver's own default."""

    addresses: tuple[str, ...]
    port: int
    zones: tuple[Entry, ...]
    cache_mebibytes: int | None
    stale_after_seconds: float | None
    node: ep.OnNode
    admin: tuple[str, int] | None
    queries: bool
    cluster_dns: str
    """The address of the Service that NodeLocal DNSCache's manifest makes for itself; "" if it is not spoken of."""
    remarks: tuple[Remark, ...]


def make_plan(given: Input, values: Mapping[str, str]) -> Plan:
    """`values` are those of variables, by name. Raises MigrationError with all that stands in the way."""
    ledger = Ledger()
    told = _teller(ledger, given.source)
    kube_dns = read_kube_dns(given.objects.kube_dns, _teller(ledger, Source(given.file)))
    corefile, cluster_dns = _parsed(given, values, kube_dns, told)
    reading = Reading(corefile, told, given.source)
    servers = reading.servers()
    _force_udp(servers, kube_dns, told)
    taken = {zone for server in servers for zone in server.zones}
    servers += [each for each in kube_dns.servers if _is_new(each, taken)]
    found, keys = reading.found, reading.keys
    node = ep.on_node(found, given.objects.flags, told, keys[0][0] if keys else _TOP)
    suffix = "" if found.port == 53 else f":{found.port}"
    own = frozenset(f"[{each}]{suffix}" if ":" in each and suffix else f"{each}{suffix}" for each in found.addresses)
    zones = entries(servers, own)
    if not zones:
        lines = [str(each) for each in ledger.remarks() if each.grade is Grade.LEFT_OUT]
        raise MigrationError(
            "\n".join([*lines, f"{given.file}: there is nothing to forward: no zone could be converted"])
        )
    size = max(_DEFAULT_MEBIBYTES, -(-sum(each.caching.entries for each in servers) * _BYTES_PER_ANSWER // (1 << 20)))
    _tell_of_defaults(servers, reading.caches, told)
    waits = {each.caching.stale_after_seconds for each in servers} - {None}
    if len(waits) > 1:
        told(
            reading.caches[0], "cache: serve_stale", Grade.CHANGED, "cache.staleAfter is one for all zones: the longest"
        )
    return Plan(
        tuple(found.addresses) or ("169.254.20.10",),
        found.port,
        zones,
        None if size == _DEFAULT_MEBIBYTES else size,
        max((each for each in waits if each is not None), default=None),
        node,
        found.admin,
        found.queries,
        cluster_dns,
        ledger.remarks(),
    )


def _teller(ledger: Ledger, source: Source) -> Tell:
    return lambda token, subject, grade, message: ledger.add(source, token, subject, grade, message)


def _parsed(given: Input, values: Mapping[str, str], kube_dns: KubeDns, told: Tell) -> tuple[Corefile, str]:
    """The Corefile with its variables replaced, and the value of CLUSTER_DNS if it names that."""
    try:
        looked_up = Values(
            values,
            _values_found(given, kube_dns),
            lambda at, name, said: told(at, name, Grade.NOTE, said),
        )
        tokens = looked_up.put_in(read_tokens(given.corefile))
        if looked_up.unknown:
            lines = [
                f"{given.source.exact(each.token.line, each.token.column)}: {shown(each.name)}: "
                f"its value is not known here: {shown(advice(each.name))}"
                for each in looked_up.unknown
            ]
            raise MigrationError("\n".join(dict.fromkeys(lines)))
        return parse(tokens), looked_up.cluster_dns
    except CorefileError as error:
        raise MigrationError(f"{given.source.exact(error.line, error.column)}: {shown(str(error))}") from None


def _values_found(given: Input, kube_dns: KubeDns) -> dict[str, str]:
    """What other objects in the input say of variables."""
    objects = given.objects
    flags = objects.flags or {}
    found = dict(objects.environment)
    local = flags.get("localip", "")
    if local and "__PILLAR__" not in local:
        found[LOCAL_DNS] = local.replace(",", " ")
    service = flags.get("upstreamsvc", "kube-dns-upstream")
    if service in objects.addresses:
        found[CLUSTER_DNS] = objects.addresses[service]
    if kube_dns.upstreams:
        found[UPSTREAM_SERVERS] = " ".join(kube_dns.upstreams)
    return found


def _is_new(server: Server, taken: set[str]) -> bool:
    """Whether a stub domain has no block of its own in the Corefile; CoreDNS would not start if it had."""
    for zone in [zone for zone in server.zones if zone in taken]:
        server.tell(server.zones.pop(zone), server.origin, Grade.LEFT_OUT, "the Corefile has a block for this zone")
    return bool(server.zones)


def _force_udp(servers: list[Server], kube_dns: KubeDns, told: Tell) -> None:
    """NodeLocal DNSCache asks upstreamNameservers over UDP whatever the Corefile says; if that has a place for them."""
    if not kube_dns.upstreams:
        return
    theirs = read_forward(Directive(_TOP, (_TOP._replace(text="."), *map(_word, kube_dns.upstreams))), lambda *_: None)
    used = False
    for server in servers:
        for number, forward in enumerate(server.forwards):
            if theirs is not None and forward.upstreams == theirs.upstreams:
                used = True
                server.forwards[number] = _over_udp(forward, told)
    if not used:
        told(_TOP, "upstreamNameservers", Grade.CHANGED, f"the Corefile has no {UPSTREAM_SERVERS}: they are not asked")


def _word(text: str) -> Token:
    return Token(text, 1, 1)


def _over_udp(forward: Forward, told: Tell) -> Forward:
    if forward.transport == "tcp":
        told(forward.where, "forward", Grade.NOTE, "upstreamNameservers are asked over UDP, as NodeLocal DNSCache does")
        return forward._replace(transport="udp")
    return forward


def _tell_of_defaults(servers: list[Server], caches: list[Token], told: Tell) -> None:
    """What the resolver does by itself and no Corefile said."""
    for each in servers:
        if each.caching is NOT_CACHED:
            where = next(iter(each.zones.values()))
            each.tell(where, "cache", Grade.NOTE, "there is none: nothing is remembered, maxTTL: 0 and maxNTTL: 0")
    if not caches:
        return
    told(caches[0], "cache", Grade.NOTE, "room is counted in bytes for all zones together, cache.size")
    if all(each.caching.stale_seconds is None for each in servers):
        told(
            caches[0],
            "cache",
            Grade.NOTE,
            'while no server answers, expired answers stand in for up to an hour; serveStale: "0s" turns that off',
        )
    if not any(each.caching.prefetch for each in servers):
        told(
            caches[0],
            "cache",
            Grade.NOTE,
            "names that are asked for often are refreshed early; cache.prefetch: false turns that off",
        )
