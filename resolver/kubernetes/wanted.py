"""What a configuration wants of the API server, and where that is. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from resolver.config import Config, ServiceUpstream


class Wanted(NamedTuple):
    """What an informer is started for; another configuration that wants the same changes nothing for it."""

    host: str
    port: int
    node: str
    zone: str
    services: tuple[ServiceUpstream, ...]
    pods: bool = False
    """Whose the addresses on this node are."""
    freshness: bool = False


def wanted(config: Config, environ: Mapping[str, str], host_name: str) -> Wanted | None:
    """What this configuration needs of the API server; None: nothing. Raises LookupError: none is known."""
    services = dict.fromkeys(
        upstream for zone in config.zones for upstream in zone.upstreams if isinstance(upstream, ServiceUpstream)
    )
    freshness = any(zone.freshness for zone in config.zones)
    settings = config.kubernetes
    pods = settings.pods and config.admin.top
    if not services and not pods and not freshness:
        return None
    if settings.server:
        host, _, port = settings.server.removeprefix("https://").rpartition(":")
    else:
        host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdigit():
        raise LookupError("kubernetes.server: no API server is named, here or in the environment")
    where = (host.strip("[]"), int(port), settings.node or host_name, settings.zone)
    return Wanted(*where, tuple(services), pods, freshness)
