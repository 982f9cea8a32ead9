"""The cases of injection.yaml as values: pods to create, and what must come back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from webhook.profile import Dns

DNS = Dns(cluster_dns=("10.96.0.10",))
"""The settings under which the table holds."""
LEAN_DNS_CONFIG: dict[str, Any] = {
    "nameservers": ["169.254.20.10", "10.96.0.10"],
    "searches": ["svc.cluster.local"],
    "options": [
        {"name": "ndots", "value": "2"},
        {"name": "timeout", "value": "1"},
        {"name": "attempts", "value": "1"},
    ],
}
"""What a pod that asks for nothing else gets then."""
CONTAINERS = [{"name": "app", "image": "registry.invalid/app:1"}]


@dataclass(frozen=True)
class Case:
    name: str
    namespace: str
    annotations: dict[str, str]
    spec: dict[str, Any]
    injected: dict[str, Any] | None
    left: str | None
    warning: str | None

    def pod(self, name: str) -> dict[str, Any]:
        """The pod to create; a name that ends with a hyphen is a generateName."""
        metadata: dict[str, Any] = {"generateName" if name.endswith("-") else "name": name}
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": CONTAINERS, **self.spec},
        }

    @property
    def dns_config(self) -> dict[str, Any]:
        """The dnsConfig of the injected pod."""
        assert self.injected is not None
        searches = {"searches": self.injected["searches"]} if self.injected["searches"] else {}
        return {
            "nameservers": ["169.254.20.10", "10.96.0.10"],
            **searches,
            "options": [
                {"name": "ndots", "value": self.injected["ndots"]},
                {"name": "timeout", "value": "1"},
                {"name": "attempts", "value": "1"},
            ],
        }


def _case(row: dict[str, Any]) -> Case:
    unknown = set(row) - {"name", "namespace", "annotations", "spec", "injected", "left", "warning"}
    assert not unknown, f"{row['name']}: {unknown}"
    assert ("injected" in row) != ("left" in row), row["name"]
    return Case(
        row["name"],
        row.get("namespace", "plain"),
        row.get("annotations", {}),
        row.get("spec", {}),
        row.get("injected"),
        row.get("left"),
        row.get("warning"),
    )


CASES = [_case(row) for row in yaml.safe_load((Path(__file__).parent / "injection.yaml").read_text(encoding="utf-8"))]
assert len({case.name for case in CASES}) == len(CASES)
