"""The chart as helm installs it into a lab cluster, and what its tests ask of the release."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.cluster import Cluster

CHART = Path(__file__).parents[2] / "charts" / "nodelocaldns"
NAME = "nodelocaldns"
NAMESPACE = "nodelocaldns"
RESOLVERS = "kube-system"
"""Where the chart puts the DaemonSet."""

Values = dict[str, Any]


class Release:
    """A release that is installed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def helm(self, verb: str, *words: str, values: Values | None = None) -> str:
        """A helm command about the release that succeeds; what it printed."""
        done = self.cluster.helm(verb, NAME, *words, "--namespace", NAMESPACE, values=values)
        assert done.returncode == 0, f"helm {verb}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def upgrade(self, values: Values, *words: str) -> None:
        """Other values. With `--wait`, returns when everything was rolled out."""
        self.helm("upgrade", str(CHART), *words, values=values)

    def resolvers(self) -> list[dict[str, Any]]:
        """The pods of the DaemonSet."""
        return self.cluster.pods(RESOLVERS, instance=NAME, component="resolver")

    def webhooks(self) -> list[dict[str, Any]]:
        """The pods of the Deployment."""
        return self.cluster.pods(NAMESPACE, instance=NAME, component="webhook")

    def object(self, path: str) -> dict[str, Any]:
        """One object by its path."""
        return self.cluster.api.must("GET", path)


def install(cluster: Cluster, values: Values | None = None, *words: str) -> Release:
    """Install the chart; returns when everything is ready if `--wait` is among the words."""
    release = Release(cluster)
    release.helm("install", str(CHART), "--create-namespace", *words, values=values)
    return release


def remove(cluster: Cluster) -> None:
    """Uninstall, and have the namespace gone, too, which helm leaves."""
    Release(cluster).helm("uninstall", "--wait")
    path = f"/api/v1/namespaces/{NAMESPACE}"
    cluster.api.call("DELETE", path)
    cluster.until(lambda: cluster.api.call("GET", path).status == 404, "the namespace to go", 60.0)


@contextlib.contextmanager
def installed(cluster: Cluster, values: Values | None = None, *words: str) -> Iterator[Release]:
    """A release for the block."""
    try:
        yield install(cluster, values, *words)
    finally:
        remove(cluster)


def is_resolver(pod: dict[str, Any], node: str = "") -> bool:
    """Whether this is a pod of the DaemonSet, on that node if one is named."""
    labels = pod["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/component") == "resolver" and node in ("", pod["spec"].get("nodeName"))


def is_webhook(pod: dict[str, Any]) -> bool:
    """Whether this is a pod of the webhook's Deployment."""
    return bool(pod["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "webhook")
