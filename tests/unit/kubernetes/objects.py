"""Objects of the API server as the tests need them."""

from typing import Any

PORTS = [
    {"name": "metrics", "port": 9153, "protocol": "TCP"},
    {"name": "dns-tcp", "port": 8053, "protocol": "TCP"},
    {"name": "dns", "port": 8053, "protocol": "UDP"},
]


def endpoint(address: str, *zones: str, **conditions: bool | None) -> dict[str, Any]:
    """One endpoint; without conditions it is ready, as the API's documentation has it."""
    hints = {"hints": {"forZones": [{"name": zone} for zone in zones]}} if zones else {}
    return {"addresses": [address], "conditions": conditions, **hints}


def slice_of(*endpoints: dict[str, Any] | str, name: str = "kube-dns-1", **fields: Any) -> dict[str, Any]:
    """An EndpointSlice of kube-system/kube-dns."""
    labels = {"kubernetes.io/service-name": "kube-dns"}
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": labels, "resourceVersion": "7"},
        "addressType": "IPv4",
        "endpoints": [endpoint(each) if isinstance(each, str) else each for each in endpoints],
        "ports": PORTS,
        **fields,
    }
