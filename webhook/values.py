"""What the webhook is told to do: frozen values, one dataclass per topic of webhook.yaml. Pure.

The defaults here are the product's: an empty file gives `Config()`. Values made by `webhook.schema.load` are valid.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from resolver.config import Log
from webhook.profile import Dns

_OWN_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class TlsMode(StrEnum):
    """Where the serving certificate comes from."""

    SELF = "self"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the API server calls; `drain_seconds` is how long calls are still answered after SIGTERM."""

    address: str = "::"
    port: int = 8443
    drain_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Tls:
    """`names` are further names and addresses in certificates of our own; the files are for mode files."""

    mode: TlsMode = TlsMode.SELF
    cert_file: str = ""
    key_file: str = ""
    names: tuple[str, ...] = ()
    ca_lifetime_seconds: float = 8760 * 3600.0


@dataclass(frozen=True, slots=True)
class Admin:
    """Where health and metrics are asked for, over plain HTTP."""

    address: str = "0.0.0.0"
    port: int = 9254


@dataclass(frozen=True, slots=True)
class Cluster:
    """Names of the objects that belong to the webhook. An empty `namespace` is the one that its pod runs in."""

    namespace: str = ""
    service: str = "nodelocaldns-webhook"
    webhook_configuration: str = "nodelocaldns-webhook"
    dns_namespace: str = "kube-system"
    dns_service: str = "kube-dns"
    excluded_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")

    def own_namespace(self) -> str:
        """The namespace of the Secret, the Lease and the Service; "default" outside of a cluster."""
        if self.namespace:
            return self.namespace
        try:
            return _OWN_NAMESPACE_FILE.read_text(encoding="utf-8").strip() or "default"
        except OSError:
            return "default"


@dataclass(frozen=True, slots=True)
class Config:
    """All of webhook.yaml."""

    listen: Listen = field(default_factory=Listen)
    tls: Tls = field(default_factory=Tls)
    dns: Dns = field(default_factory=Dns)
    admin: Admin = field(default_factory=Admin)
    cluster: Cluster = field(default_factory=Cluster)
    log: Log = field(default_factory=Log)
