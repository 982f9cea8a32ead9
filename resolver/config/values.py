"""What the resolver is told to do: frozen values, one tuple with names per topic of resolver.yaml.

The defaults here are the product's defaults: an empty file gives `Config()`. Durations are float seconds and say so in
their names, sizes are bytes, TTLs are whole seconds. A module is handed its own topic and nothing more. Values made by
`resolver.config.load` are valid and canonical; code that builds them by hand (tests, the demo) has to keep to that.
"""

from typing import TYPE_CHECKING, NamedTuple

from resolver.lean.words import Words

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

DNS_PORT = 53
DNS_OVER_TLS_PORT = 853  # RFC 7858, section 3.1


class Transport(Words):
    """How questions travel to a zone's upstreams."""

    TCP = "tcp"
    UDP = "udp"
    TLS = "tls"

    @property
    def default_port(self) -> int:
        """The port of an upstream that names none."""
        return DNS_OVER_TLS_PORT if self is Transport.TLS else DNS_PORT


class Policy(Words):
    """Which of a zone's upstreams is asked first."""

    SEQUENTIAL = "sequential"
    RANDOM = "random"
    ROUND_ROBIN = "roundRobin"


class LogFormat(Words):
    """One JSON object per line, or one line for people."""

    JSON = "json"
    TEXT = "text"


class LogLevel(Words):
    """The least urgent messages that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Upstream(NamedTuple):
    """One server to ask.

    `address` is a canonical IP address, an IPv6 one with its scope id if it needs one. `tls_name` is the name that the
    server's certificate must carry; None means that it must carry the address itself. It matters for tls only.
    """

    address: str
    port: int = DNS_PORT
    tls_name: str | None = None

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class ResolvConf(NamedTuple):
    """A resolv.conf whose nameservers are the upstreams, for as long as they are listed there."""

    path: str

    def __str__(self) -> str:
        return self.path


class ServiceUpstream(NamedTuple):
    """A Service of the cluster whose endpoints are asked themselves.

    `address` and `port` are the Service's own, for as long as no endpoint is known; "" leaves the address to the API
    server to tell.
    """

    namespace: str
    name: str
    address: str = ""
    port: int = DNS_PORT

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


AnyUpstream = Upstream | ResolvConf | ServiceUpstream


class Listen(NamedTuple):
    """Where pods ask: UDP and TCP on each of `addresses`; no `allowed_clients` means that everybody may."""

    addresses: tuple[str, ...] = ("169.254.20.10",)
    port: int = DNS_PORT
    workers: int = 1
    allowed_clients: "tuple[IPv4Network | IPv6Network, ...]" = ()


def overlap(one: str, other: str) -> bool:
    """Whether two different addresses cannot be listened on at one port: one of them is all of its family's."""
    from ipaddress import ip_address  # noqa: PLC0415 - 0.2 MiB that a supervisor with one address does without

    first, second = ip_address(one), ip_address(other)
    return first.version == second.version and (first.is_unspecified or second.is_unspecified)


class Zone(NamedTuple):
    """Where questions under `names` go, and how long their answers may be remembered.

    `names` are lower-case and absolute, without the trailing dot; "." is the root. `serve_stale_seconds` of 0 means
    that an expired answer is never served, `queries_per_second` of 0 that questions are sent as they come.
    """

    names: tuple[str, ...]
    upstreams: tuple[AnyUpstream, ...]
    transport: Transport = Transport.TCP
    policy: Policy = Policy.SEQUENTIAL
    max_ttl: int = 30
    max_nttl: int = 10
    attempt_timeout_seconds: float = 0.3
    timeout_seconds: float = 0.9
    serve_stale_seconds: float = 3600.0
    search_completion: bool = False
    filter_aaaa: bool = False
    queries_per_second: int = 0
    freshness: bool = False


class Cache(NamedTuple):
    """What is remembered, in all zones together."""

    size_bytes: int = 16 * 1024 * 1024
    stale_after_seconds: float = 0.2
    prefetch: bool = True


class Node(NamedTuple):
    """What is changed on the node itself; "" switches the hand-over off, and leaves workers the user they start as."""

    manage_interface: bool = False
    interface: str = "nodelocaldns"
    notrack: bool = False
    handover_socket: str = ""
    user: str = ""


class Admin(NamedTuple):
    """Where /metrics, /health, /ready, /cache and /top are served; without `token_file` loopback is trusted.

    `top`: keep count of who asks what; `owners_file`: whose addresses they are.
    """

    address: str = "127.0.0.1"
    port: int = 9253
    token_file: str = ""
    top: bool = False
    owners_file: str = ""


class Kubernetes(NamedTuple):
    """How to reach the API server, for zones that want something of it; "" is what a pod finds in its environment."""

    server: str = ""
    token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - where it is
    ca_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    node: str = ""
    zone: str = ""
    pods: bool = False


class Log(NamedTuple):
    """What is written to the log; `queries` adds one line per query."""

    format: LogFormat = LogFormat.JSON
    level: LogLevel = LogLevel.INFO
    queries: bool = False


DEFAULT_ZONES = (
    Zone(names=("cluster.local", "in-addr.arpa", "ip6.arpa"), upstreams=(Upstream("10.96.0.10"),)),
    Zone(names=(".",), upstreams=(ResolvConf("/etc/resolv.conf"),)),
)


class Config(NamedTuple):
    """The whole of resolver.yaml."""

    listen: Listen = Listen()
    zones: tuple[Zone, ...] = DEFAULT_ZONES
    cache: Cache = Cache()
    node: Node = Node()
    kubernetes: Kubernetes = Kubernetes()
    admin: Admin = Admin()
    log: Log = Log()
