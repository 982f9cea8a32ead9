"""Every plugin of CoreDNS, and what becomes of it: the verdicts that need no look at the plugin's arguments.

`forward`, `cache`, `bind`, `prometheus`, `health` and `log` are read (`forwarding.py`, `caching.py`, `endpoints.py`);
the rest is this table. docs/migration.md prints it, and a test compares the two.
"""

from collections.abc import Callable

from resolver.migration.caddyfile import Directive
from resolver.migration.remarks import Grade

IN_NODE_CACHE = (
    "bind",
    "bufsize",
    "cache",
    "debug",
    "dns64",
    "dnstap",
    "errors",
    "forward",
    "health",
    "hosts",
    "import",
    "loadbalance",
    "log",
    "loop",
    "metadata",
    "pprof",
    "prometheus",
    "reload",
    "rewrite",
    "template",
    "timeouts",
    "trace",
    "whoami",
)
"""What NodeLocal DNSCache's image has (and `import`, which is the Corefile's); others need an image of one's own."""

READ = ("bind", "cache", "forward", "health", "log", "prometheus")
"""Those whose arguments become keys."""


Verdict = tuple[Grade, str]


def _note(message: str) -> Verdict:
    return Grade.NOTE, message


def _lost(message: str) -> Verdict:
    return Grade.LEFT_OUT, message


def _bufsize(directive: Directive) -> Verdict:
    if not directive.words or directive.words == ["1232"]:
        return _note("it is so here: answers over UDP have at most 1232 bytes")
    return Grade.CHANGED, f"answers over UDP have at most 1232 bytes here, not {directive.words[0]}"


def _loadbalance(directive: Directive) -> Verdict:
    if not directive.body and directive.words in ([], ["round_robin"]):
        return _note("it is so here: the addresses of an answer change places from reply to reply")
    return _lost("addresses take turns with equal weight here: have the upstream server weigh or prefer them")


def _hosts(directive: Directive) -> Verdict:
    names = sorted({word for line in directive.body for word in line.words if not _is_option(line)})
    those = f" ({', '.join(names[:10])}{', ...' if names[10:] else ''})" if names else ""
    return _lost(f"no names of its own are answered here: give them{those} to the upstream server, as its hosts plugin")


def _is_option(line: Directive) -> bool:
    return line.name.text in {"fallthrough", "no_reverse", "reload", "ttl"}


def _template(directive: Directive) -> Verdict:
    rcodes = {line.words[0].upper() for line in directive.body if line.name.text == "rcode" and line.words}
    if directive.words[1:2] == ["AAAA"] and rcodes <= {"NOERROR"} and not _answers(directive):
        return _lost(
            "AAAA questions are asked like others here, and names with IPv6 addresses get them: "
            "have the upstream servers leave them out (the same template there)"
        )
    if directive.words[1:2] == ["HINFO"]:
        return _note("what asks for HINFO is CoreDNS's plugin loop, which is not here")
    return _lost("no answers are made up here: give the template to the upstream server")


def _answers(directive: Directive) -> bool:
    return any(line.name.text == "answer" for line in directive.body)


_UPSTREAM = "have the upstream server do it"
_SERVES = "this resolver forwards and remembers, and has no zones of its own: forward the zone to a server that has"

PLUGINS: dict[str, Verdict | Callable[[Directive], Verdict]] = {
    "acl": _lost("the only rule about clients here is listen.allowedClients, for all zones: write the networks there"),
    "any": _lost("questions for ANY are asked like others here"),
    "auto": _lost(_SERVES),
    "autopath": _lost("searchCompletion of the zone does this without a watch of pods; it is off by default"),
    "azure": _lost(_SERVES),
    "bufsize": _bufsize,
    "cancel": _note("every question ends within its zone's timeout here"),
    "chaos": _lost("the version is in /metrics (nodelocaldns_build_info)"),
    "clouddns": _lost(_SERVES),
    "debug": _note("a defect costs one question and is logged here; log.level: debug says more"),
    "dns64": _lost(
        "no addresses are made up here: forward this zone to a server that does it, such as the cluster's CoreDNS "
        "with this plugin, or pods with IPv6 alone do not reach names with IPv4 alone"
    ),
    "dnssec": _lost(_UPSTREAM),
    "dnstap": _lost("log.queries: true writes a line per query"),
    "dynupdate": _lost(_SERVES),
    "erratic": _lost("a plugin for tests"),
    "errors": _note(
        "it is so here: failures are in /metrics by zone and reason, and logged when a server goes or comes"
    ),
    "etcd": _lost(_SERVES),
    "file": _lost(_SERVES),
    "geoip": _lost(_UPSTREAM),
    "grpc": _lost("servers are asked over TCP, UDP or TLS here: forward the zone to a server that has one of them"),
    "grpc_server": _lost("clients are answered over UDP and TCP"),
    "header": _lost("the flags of answers are those of DNS"),
    "hosts": _hosts,
    "https": _lost("clients are answered over UDP and TCP"),
    "https3": _lost("clients are answered over UDP and TCP"),
    "import": _lost("the files are not part of this input: put their text in the place of the line, and convert again"),
    "k8s_external": _lost(_SERVES),
    "kubernetes": _lost(_SERVES),
    "loadbalance": _loadbalance,
    "local": _lost("localhost and the like are forwarded here: clients should not ask for them"),
    "loop": _note("an upstream that is this resolver itself is refused when the configuration is read"),
    "metadata": _note("nothing here needs it"),
    "minimal": _lost("answers are passed on whole, as far as they fit"),
    "multisocket": _note("listen.workers is the number of processes that answer; one is enough for most nodes"),
    "nomad": _lost(_SERVES),
    "nsid": _lost("queries that ask for a name server identifier get none"),
    "on": _lost("no commands are run at start and stop"),
    "pprof": _lost(
        "there is no profiler in the resolver; nodelocaldns_event_loop_lag_seconds tells when it is held up"
    ),
    "proxyproto": _lost("clients are answered over UDP and TCP, without a proxy before them"),
    "quic": _lost("clients are answered over UDP and TCP"),
    "ready": _note("it is so here: /ready, at admin.address and admin.port"),
    "reload": _note("it is so here: a changed file is taken over within seconds, with everything that is remembered"),
    "rewrite": _lost(
        "names are asked as they come here: rewrite in the upstream server, as in the CoreDNS of the cluster"
    ),
    "root": _note("paths are absolute here"),
    "route53": _lost(_SERVES),
    "secondary": _lost(_SERVES),
    "shed": _note("what a client can hold is bounded here, and what is read is answered"),
    "sign": _lost(_UPSTREAM),
    "siit": _lost(_UPSTREAM),
    "template": _template,
    "timeouts": _note("connections of clients have times of their own here, see docs/architecture.md"),
    "tls": _lost("clients are answered over UDP and TCP"),
    "trace": _lost("log.queries: true writes a line per query, with how long it took"),
    "transfer": _lost(_SERVES),
    "tsig": _lost(_UPSTREAM),
    "view": _lost("all clients get the same answers"),
    "whoami": _lost("it answers every name in the zone with the client's own address; no zone here does that"),
}


def judge(directive: Directive) -> Verdict:
    """The verdict on a plugin that is not in READ."""
    verdict = PLUGINS.get(directive.name.text)
    if verdict is None:
        return _lost("not a plugin of CoreDNS that is known here: nothing is carried over")
    return verdict(directive) if callable(verdict) else verdict
