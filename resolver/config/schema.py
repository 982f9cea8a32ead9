"""resolver.yaml as a table: every key with its check, its field, and what the documentation says about it.

`reading.py` walks this table over a parsed file and `document.py` prints it; neither knows a key by name. To add a
setting, add a field in values.py and a row here. The table is walked by hand because it is needed for the
documentation anyway: what a schema library would save is the walk, some thirty lines.
"""

from resolver.config import quantities as q
from resolver.config.reviews import review_config, review_listen, review_zone, with_ports
from resolver.config.shape import Key, ListOf, Section
from resolver.config.values import (
    Admin,
    Cache,
    Config,
    Kubernetes,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Node,
    Policy,
    Transport,
    Zone,
)

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
    review_listen,
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
            "tls. For tls, address#name gives the name to verify; without it the certificate must carry the address. "
            "A service stands for its endpoints, which are asked themselves: docs/kubernetes.md.",
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
        Key(
            "searchCompletion",
            "search_completion",
            q.boolean(),
            "false",
            "For the cluster's zone: take the steps of pods' search lists here, so that a name costs one question "
            "instead of four. The rules are in docs/names.md.",
            "true",
        ),
        Key(
            "filterAAAA",
            "filter_aaaa",
            q.boolean(),
            "false",
            "Say that no name of this zone has an IPv6 address, without asking: for clusters without IPv6.",
            "true",
        ),
        Key(
            "queriesPerSecond",
            "queries_per_second",
            q.whole_number("a number of questions", 0, 1_000_000),
            "0",
            "How many questions this node sends to the zone's servers in a second, at most; 0: as many as there are. "
            "Cloud resolvers drop what exceeds some 1,000 packets per second of an interface. See docs/budget.md.",
            "900",
        ),
        Key(
            "freshness",
            "freshness",
            q.boolean(),
            "false",
            "For the cluster's zone: watch all Services and their endpoints, and forget answers the moment a change "
            "makes them untrue: docs/kubernetes.md.",
            "true",
        ),
    ),
    lambda **fields: with_ports(Zone(**fields)),
    review_zone,
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
    "Where /metrics, /health, /ready, /cache and /top are served over HTTP.",
    (
        Key("address", "address", q.address(), "127.0.0.1", "The address to serve on.", "0.0.0.0"),
        Key("port", "port", q.whole_number("a port", 1, 65535), "9253", "The TCP port to serve on."),
        Key(
            "tokenFile",
            "token_file",
            q.matching('an absolute path, or ""', r"(?:/[\x21-\x7e]{1,4094})?"),
            '""',
            "A file, readable for node.user, with a token of 16 or more characters. Who shows it (Authorization: "
            "Bearer TOKEN) may look into the cache by name and have answers forgotten, from anywhere, and nobody else. "
            "Empty: who asks over loopback may.",
            "/etc/nodelocaldns-admin/token",
        ),
        Key(
            "top",
            "top",
            q.boolean(),
            "false",
            "Keep count of who asks what, from a sample and in a few MiB per worker: for nodelocaldns-resolver top "
            "and advise, and for metrics by pod. See docs/top.md.",
            "true",
            restart=True,
        ),
        Key(
            "ownersFile",
            "owners_file",
            q.matching('an absolute path, or ""', r"(?:/[\x21-\x7e]{1,4094})?"),
            '""',
            "For top: a JSON file, watched for changes, that says which pod has which address. Empty: addresses are "
            "shown.",
            "/run/nodelocaldns/owners.json",
            restart=True,
        ),
    ),
    Admin,
)

KUBERNETES = Section(
    "How to reach the API server, for upstreams that name a service, for zones with `freshness` and for `pods`; "
    "otherwise nothing here is used.",
    (
        Key(
            "server",
            "server",
            q.matching('https://HOST:PORT, or ""', r"(?:https://[\x21-\x7e]{1,255}:[0-9]{1,5})?"),
            '""',
            "The API server; empty: the one that the kubelet names in a container's environment.",
            "https://192.0.2.1:6443",
        ),
        Key(
            "tokenFile",
            "token_file",
            q.matching("an absolute path", r"/[\x21-\x7e]{1,4094}"),
            Kubernetes().token_file,
            "The token to show there. It is read again as it rotates, and by no process that reads packets.",
        ),
        Key(
            "caFile",
            "ca_file",
            q.matching("an absolute path", r"/[\x21-\x7e]{1,4094}"),
            Kubernetes().ca_file,
            "The certificates of the authorities that the API server's certificate must come from.",
        ),
        Key(
            "node",
            "node",
            q.matching('a node\'s name, or ""', r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)?"),
            '""',
            "The name of this node, by which it chooses among endpoints; empty: the host's name.",
            "worker-7",
        ),
        Key(
            "zone",
            "zone",
            q.matching('a zone\'s name, or ""', r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"),
            '""',
            "The zone that this node is in, for topology hints; empty: what the label of its Node says.",
            "eu-1a",
        ),
        Key(
            "pods",
            "pods",
            q.boolean(),
            "false",
            "With admin.top: watch the pods of this node, so that addresses are shown as pods and workloads.",
            "true",
        ),
    ),
    Kubernetes,
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
        Key("kubernetes", "kubernetes", KUBERNETES, "", KUBERNETES.meaning),
        Key("admin", "admin", ADMIN, "", ADMIN.meaning),
        Key("log", "log", LOG, "", LOG.meaning),
    ),
    Config,
    review_config,
)
