"""webhook.yaml as a table: every key with its check, its dataclass field, and what the documentation says about it.

The machinery is the resolver's (`resolver.config`): it walks the table over a parsed file and finds every mistake at
once. `webhook.document` prints the table. To add a setting, add a field in values.py and a row here.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import cast

from resolver.config import LogFormat, LogLevel, Problem
from resolver.config import quantities as q
from resolver.config.reading import build_as
from resolver.config.shape import Key, ListOf, Section
from resolver.config.values import Log
from resolver.config.yamltext import parse_yaml
from webhook.profile import MOST_NAMESERVERS, MOST_NDOTS, Dns
from webhook.values import Admin, Cluster, Config, Listen, Tls, TlsMode

_OBJECT_NAME = q.matching("a name of a Kubernetes object", r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = q.matching("a name of a namespace or a Service", r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT = q.whole_number("a port", 1, 65535)
_FILE = q.matching('an absolute path, or ""', r"(/[^\x00]+)?")


def _nameserver() -> q.Check[str]:
    """An address as Kubernetes takes it in dnsConfig: no zone, not mapped, in canonical form."""

    def parse(value: object) -> str:
        address = ip_address(q.address().parse(value))
        if address.is_unspecified or "%" in str(address) or getattr(address, "ipv4_mapped", None):
            raise ValueError
        return str(address)

    return q.Check("an IP address", parse)


def _cluster_domain() -> q.Check[str]:
    """Short enough for `NAMESPACE.svc.` in front of it."""

    def parse(value: object) -> str:
        return q.matching("", r"(?=.{1,180}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*").parse(
            value
        )

    return q.Check("a domain name in lower case without a trailing dot, such as cluster.local", parse)


def _review_tls(tls: Tls) -> Iterator[Problem]:
    for key, path in (("certFile", tls.cert_file), ("keyFile", tls.key_file)):
        if tls.mode is TlsMode.FILES and not path:
            yield Problem(key, "must be given in mode files")
        if tls.mode is TlsMode.SELF and path:
            yield Problem(key, "is for mode files")


def _review_dns(dns: Dns) -> Iterator[Problem]:
    if len(dns.cluster_dns) > MOST_NAMESERVERS - 1:
        yield Problem("clusterDNS", f"at most {MOST_NAMESERVERS - 1}: a pod has three nameservers, one is localAddress")
    if dns.local_address in dns.cluster_dns:
        yield Problem("clusterDNS", f"{dns.local_address} is localAddress")


def _review_config(config: Config) -> Iterator[Problem]:
    if config.listen.port == config.admin.port:
        yield Problem("admin.port", "is listen.port")


LISTEN = Section(
    "Where the API server calls, over HTTPS.",
    (
        Key(
            "address",
            "address",
            q.address(),
            '"::"',
            "The address; `::` is every address of both families.",
            restart=True,
        ),
        Key("port", "port", _PORT, "8443", "The port.", restart=True),
        Key(
            "drain",
            "drain_seconds",
            q.duration("0s", "5m"),
            "10s",
            "How long calls are still answered after SIGTERM, each with `Connection: close`, so that API servers leave "
            "before the end; below terminationGracePeriodSeconds of the pod.",
            restart=True,
        ),
    ),
    Listen,
)
TLS = Section(
    "The serving certificate.",
    (
        Key(
            "mode",
            "mode",
            q.one_of(TlsMode),
            "self",
            "`self`: a CA of the webhook's own, kept in a Secret, rotated, and published as caBundle of the "
            "MutatingWebhookConfiguration. `files`: a mounted certificate, for example by cert-manager, which then "
            "takes care of caBundle, too.",
            restart=True,
        ),
        Key(
            "certFile",
            "cert_file",
            _FILE,
            '""',
            "Mode files: the certificate with its chain, in PEM; read again when it changes.",
            "/tls/tls.crt",
            restart=True,
        ),
        Key("keyFile", "key_file", _FILE, '""', "Mode files: its private key, in PEM.", "/tls/tls.key", restart=True),
        Key(
            "names",
            "names",
            ListOf(q.matching("a host name or an IP address", r"[A-Za-z0-9:.*-]{1,253}"), may_be_empty=True),
            "[]",
            "Mode self: further names in the certificate, for API servers that call by `clientConfig.url`.",
            "[webhook.example, 192.0.2.10]",
            restart=True,
        ),
        Key(
            "caLifetime",
            "ca_lifetime_seconds",
            q.duration("4s", "87601h"),
            "8760h",
            "Mode self: how long a CA is valid. At half of it the next one takes over, step by step.",
            restart=True,
        ),
    ),
    Tls,
    _review_tls,
)
DNS = Section(
    "What injected pods get.",
    (
        Key(
            "localAddress",
            "local_address",
            _nameserver(),
            "169.254.20.10",
            "Where the node-local resolver answers: the first nameserver.",
            restart=True,
        ),
        Key(
            "clusterDNS",
            "cluster_dns",
            ListOf(_nameserver(), may_be_empty=True),
            "[]",
            "The cluster's DNS, two addresses at most: the nameservers after it. Empty: the addresses of the "
            "Service `cluster.dnsService`, watched.",
            "[10.96.0.10]",
            restart=True,
        ),
        Key(
            "clusterDomain",
            "cluster_domain",
            _cluster_domain(),
            "cluster.local",
            "The domain of the cluster's Services, below `svc.`.",
            restart=True,
        ),
        Key(
            "ndots",
            "ndots",
            q.whole_number("a number", 0, MOST_NDOTS),
            "2",
            "Names with at least as many dots are asked as they are first.",
            restart=True,
        ),
        Key(
            "timeout",
            "timeout",
            q.whole_number("a number of seconds", 1, 30),
            "1",
            "Seconds that a pod waits for one nameserver.",
            restart=True,
        ),
        Key(
            "attempts", "attempts", q.whole_number("a number", 1, 5), "1", "Rounds over the nameservers.", restart=True
        ),
    ),
    Dns,
    _review_dns,
)
ADMIN = Section(
    "Where `/healthz`, `/readyz` and `/metrics` are, over plain HTTP.",
    (
        Key("address", "address", q.address(), "0.0.0.0", "The address.", restart=True),
        Key("port", "port", _PORT, "9254", "The port.", restart=True),
    ),
    Admin,
)
CLUSTER = Section(
    "Names of Kubernetes objects.",
    (
        Key(
            "namespace",
            "namespace",
            q.matching('a name of a namespace, or ""', r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?"),
            '""',
            "Where the webhook's Service, Secret and Lease are; empty: where its pod runs.",
            "nodelocaldns",
            restart=True,
        ),
        Key(
            "service",
            "service",
            _NAMESPACE,
            "nodelocaldns-webhook",
            "The webhook's Service, and so the name in its certificate; also the name of its Lease and, with `-ca` "
            "behind it, of its Secret.",
            restart=True,
        ),
        Key(
            "webhookConfiguration",
            "webhook_configuration",
            _OBJECT_NAME,
            "nodelocaldns-webhook",
            "The MutatingWebhookConfiguration whose caBundle is kept up to date.",
            restart=True,
        ),
        Key("dnsNamespace", "dns_namespace", _NAMESPACE, "kube-system", "The namespace of `dnsService`.", restart=True),
        Key(
            "dnsService",
            "dns_service",
            _NAMESPACE,
            "kube-dns",
            "The Service of the cluster's DNS, asked for its addresses where `dns.clusterDNS` is empty.",
            restart=True,
        ),
        Key(
            "excludedNamespaces",
            "excluded_namespaces",
            ListOf(_NAMESPACE, may_be_empty=True),
            "[kube-system, kube-public, kube-node-lease]",
            "Pods of these namespaces are always left alone.",
            restart=True,
        ),
    ),
    Cluster,
)
LOG = Section(
    "The webhook's own log, on standard error.",
    (
        Key(
            "format",
            "format",
            q.one_of(LogFormat),
            "json",
            "One JSON object per line, or a line for people.",
            restart=True,
        ),
        Key(
            "level", "level", q.one_of(LogLevel), "info", "What is less important than this is left out.", restart=True
        ),
    ),
    Log,
)
CONFIG = Section(
    "webhook.yaml",
    tuple(
        Key(name, name, section, "{}", section.meaning)  # every section may be left out
        for name, section in (
            ("listen", LISTEN),
            ("tls", TLS),
            ("dns", DNS),
            ("admin", ADMIN),
            ("cluster", CLUSTER),
            ("log", LOG),
        )
    ),
    Config,
    _review_config,
)


def load(text: str, source: str) -> Config:
    """Return the configuration that `text` describes; an empty text describes the defaults.

    `source` is the file's name, for messages. Raises resolver.config.ConfigError, and nothing else, with all problems.
    """
    data, problems = parse_yaml(text)
    return cast("Config", build_as(CONFIG, data, source, problems))
