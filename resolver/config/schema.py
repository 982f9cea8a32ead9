"""resolver.yaml as a table: every key with its check, its field, and what the documentation says about it.

`reading.py` walks this table over a parsed file and `document.py` prints it; neither knows a key by name. To add a
setting, add a field in values.py and a row here. The table is walked by hand because it is needed for the
documentation anyway: what a schema library would save is the walk, some thirty lines.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from resolver.config import quantities as q
from resolver.config.problems import Problem
from resolver.config.shape import Key, ListOf, Section
from resolver.config.values import (
    Admin,
    Cache,
    Config,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Node,
    Policy,
    ResolvConf,
    Transport,
    Upstream,
    Zone,
    overlap,
)


def _with_ports(zone: Zone) -> Zone:
    return zone._replace(upstreams=tuple(_with_port(upstream, zone.transport) for upstream in zone.upstreams))


def _with_port(upstream: Upstream | ResolvConf, transport: Transport) -> Upstream | ResolvConf:
    if isinstance(upstream, Upstream) and upstream.port == q.PORT_OF_TRANSPORT:
        return upstream._replace(port=transport.default_port)
    return upstream


def _review_zone(zone: Zone) -> Iterator[Problem]:
    if zone.attempt_timeout_seconds > zone.timeout_seconds:
        yield Problem("attemptTimeout", "must not be longer than timeout")
    for index, upstream in enumerate(zone.upstreams):
        if isinstance(upstream, Upstream) and upstream.tls_name is not None and zone.transport is not Transport.TLS:
            yield Problem(
                f"upstreams[{index}]", f"#{upstream.tls_name} is for transport tls, this zone's is {zone.transport}"
            )
        if upstream in zone.upstreams[:index]:
            yield Problem(f"upstreams[{index}]", "is listed twice")


def _review_listen(listen: Listen) -> Iterator[Problem]:
    for index, address in enumerate(listen.addresses):
        for other in listen.addresses[:index]:
            if overlap(address, other):
                yield Problem(f"addresses[{index}]", f"{address} and {other} cannot be listened on at the same time")


def _review_config(config: Config) -> Iterator[Problem]:
    owner: dict[str, int] = {}
    for z, zone in enumerate(config.zones):
        for n, name in enumerate(zone.names):
            if owner.setdefault(name, z) != z:
                yield Problem(f"zones[{z}].names[{n}]", f"{name!r} is named in zones[{owner[name]}] already")
        for u, upstream in enumerate(zone.upstreams):
            if isinstance(upstream, Upstream) and _is_own(upstream, config.listen):
                yield Problem(f"zones[{z}].upstreams[{u}]", f"{upstream} is this resolver itself")
    if config.node.notrack and all(ip_address(each).is_unspecified for each in config.listen.addresses):
        yield Problem("node.notrack", "needs an address in listen.addresses that is not 0.0.0.0 or ::")


def _is_own(upstream: Upstream, listen: Listen) -> bool:
    return upstream.address in listen.addresses and upstream.port == listen.port


LISTEN = Section(
    "Where pods ask.",
    (
        Key(
            "addresses",
            "addresses",
            ListOf(q.address()),
            "[169.254.20.10]",
            "Addresses to answer on, each over UDP and TCP; IPv4 and IPv6 side by side.",
            '[169.254.20.10, "fd00:20::10"]',
        ),
        Key("port", "port", q.whole_number("a port", 1, 65535), "53", "The port on each of them, UDP and TCP."),
        Key(
            "workers",
            "workers",
            q.whole_number("a number of processes", 1, 64),
            "1",
            "Processes that answer. One keeps up with most nodes; more use more cores, each with a cache of its own.",
            "2",
            restart=True,
        ),
        Key(
            "allowedClients",
            "allowed_clients",
            ListOf(q.network(), may_be_empty=True),
            "[]",
            "Client networks that get answers; empty: every client that can route here.",
            '[10.0.0.0/8, "fd00::/8"]',
        ),
    ),
    Listen,
    _review_listen,
)

ZONE = Section(
    "Where questions go. The zone with the longest matching name answers; a question in no zone is refused.",
    (
        Key(
            "names",
            "names",
            ListOf(q.domain_name()),
            None,
            'The domains of this zone, with everything below them; "." is everything else.',
            "[cluster.local, in-addr.arpa, ip6.arpa]",
        ),
        Key(
            "upstreams",
            "upstreams",
            ListOf(q.upstream()),
            None,
            "Servers to ask, or a resolv.conf that lists them and is watched for changes. The port is 53, or 853 for "
            "tls. For tls, address#name gives the name to verify; without it the certificate must carry the address.",
            "[10.96.0.10]",
        ),
        Key(
            "transport",
            "transport",
            q.one_of(Transport),
            "tcp",
            "How to ask: tcp keeps connections open and spares conntrack an entry per question, tls is RFC 7858.",
            "tls",
        ),
        Key(
            "policy",
            "policy",
            q.one_of(Policy),
            "sequential",
            "Who is asked first: the first server that works, any of them, or each in turn.",
            "roundRobin",
        ),
        Key(
            "maxTTL",
            "max_ttl",
            q.whole_number("a number of seconds", 0, 604800),
            "30",
            "How long an answer is remembered and may be remembered by clients, at most, in seconds; 0: not at all.",
            "300",
        ),
        Key(
            "maxNTTL",
            "max_nttl",
            q.whole_number("a number of seconds", 0, 604800),
            "10",
            "The same for answers that say that there is no such name or no such data (NXDOMAIN, NODATA).",
            "5",
        ),
        Key(
            "attemptTimeout",
            "attempt_timeout_seconds",
            q.duration("10ms", "60s"),
            "300ms",
            "How long one try may be silent before the next one starts, on another connection or server.",
            "200ms",
        ),
        Key(
            "timeout",
            "timeout_seconds",
            q.duration("10ms", "60s"),
            "900ms",
            "How long the whole question may take. Opted-in pods ask the cluster DNS after one second: stay below it.",
            "800ms",
        ),
        Key(
            "serveStale",
            "serve_stale_seconds",
            q.duration("0s", "720h"),
            "1h",
            'How long after its end an answer may stand in while no upstream answers (RFC 8767); "0s": never.',
            "24h",
        ),
    ),
    lambda **fields: _with_ports(Zone(**fields)),
    _review_zone,
)

CACHE = Section(
    "What is remembered.",
    (
        Key("size", "size_bytes", q.size("1Mi", "64Gi"), "16Mi", "Room for answers, all zones together.", "64Mi"),
        Key(
            "staleAfter",
            "stale_after_seconds",
            q.duration("0s", "60s"),
            "200ms",
            "With a stale answer in hand, how long a client waits for a fresh one before it gets the stale one.",
            "100ms",
        ),
        Key("prefetch", "prefetch", q.boolean(), "true", "Refresh hot names shortly before they expire.", "false"),
    ),
    Cache,
)

NODE = Section(
    "What is changed on the node.",
    (
        Key(
            "manageInterface",
            "manage_interface",
            q.boolean(),
            "false",
            "Create the interface, assign listen.addresses to it, and remove it at the end.",
            "true",
            restart=True,
        ),
        Key(
            "interface",
            "interface",
            q.matching("an interface name of at most 15 characters", r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}"),
            "nodelocaldns",
            "The name of that interface.",
            "dns0",
            restart=True,
        ),
        Key(
            "notrack",
            "notrack",
            q.boolean(),
            "false",
            "Keep pods' questions and the answers to them out of conntrack, with nftables rules.",
            "true",
            restart=True,
        ),
        Key(
            "handoverSocket",
            "handover_socket",
            q.matching('an absolute path of at most 107 bytes, or ""', r"(?:/[\x21-\x7e]{1,106})?"),
            '""',
            "Unix socket on which a successor gets the listening sockets and the warm cache; empty: no hand-over.",
            "/run/nodelocaldns/handover.sock",
            restart=True,
        ),
        Key(
            "user",
            "user",
            q.matching('a user name, or a user id in quotes, or ""', r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?"),
            '""',
            "The user that workers run as; empty: the one that started the resolver.",
            "nobody",
            restart=True,
        ),
    ),
    Node,
)

ADMIN = Section(
    "Where /metrics, /health, /ready and /cache are served over HTTP.",
    (
        Key("address", "address", q.address(), "127.0.0.1", "The address to serve on.", "0.0.0.0"),
        Key("port", "port", q.whole_number("a port", 1, 65535), "9253", "The TCP port to serve on."),
    ),
    Admin,
)

LOG = Section(
    "What is written to the log, on standard error.",
    (
        Key("format", "format", q.one_of(LogFormat), "json", "One JSON object per line, or text for people.", "text"),
        Key("level", "level", q.one_of(LogLevel), "info", "The least urgent messages to write.", "warning"),
        Key("queries", "queries", q.boolean(), "false", "Write one line per query as well. Costs speed.", "true"),
    ),
    Log,
)

CONFIG = Section(
    "The whole file.",
    (
        Key("listen", "listen", LISTEN, "", LISTEN.meaning),
        Key("zones", "zones", ListOf(ZONE), "", ZONE.meaning),
        Key("cache", "cache", CACHE, "", CACHE.meaning),
        Key("node", "node", NODE, "", NODE.meaning),
        Key("admin", "admin", ADMIN, "", ADMIN.meaning),
        Key("log", "log", LOG, "", LOG.meaning),
    ),
    Config,
    _review_config,
)
