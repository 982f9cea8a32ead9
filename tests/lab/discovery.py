"""How pods become targets: what Prometheus finds out about them, and what its operator makes of monitors.

Debian's Prometheus is built without Kubernetes; it reads from a file what the other one would have discovered. A
container without ports is one target, the bare address of its pod (Prometheus, discovery/kubernetes/pod.go). The
operator puts relabelings of its own before those of a monitor: pods (or the Service) by their labels, the port by its
name where the monitor names one, and labels for namespace, pod, container and job (pkg/prometheus/promcfg.go).
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Document = dict[str, Any]
Relabeling = dict[str, Any]


def pod_targets(template: Document, namespace: str, name: str, node: str, address: str) -> list[Document]:
    """What is discovered in the role `pod` for a pod made of this template."""
    known = {
        "namespace": namespace,
        "pod_name": name,
        "pod_ip": address,
        "pod_phase": "Running",
        "pod_node_name": node,
        **_labels("pod", template["metadata"]["labels"]),
    }
    found = []
    for container in template["spec"]["containers"]:
        own = {**known, "pod_container_name": container["name"]}
        if not container.get("ports"):
            found.append(_target(address, own))
        for port in container.get("ports", ()):
            number = str(port["containerPort"])
            declared = {"pod_container_port_name": port["name"], "pod_container_port_number": number}
            found.append(_target(f"{address}:{number}", {**own, **declared}))
    return found


def endpoint_targets(service: Document, pods: Iterable[Document]) -> list[Document]:
    """What is discovered in the role `endpointslice` for a Service whose port is a number, with targets of its pods."""
    (port,) = service["spec"]["ports"]
    known = {
        "service_name": service["metadata"]["name"],
        "endpointslice_port_name": port["name"],
        **_labels("service", service["metadata"]["labels"]),
    }
    prefix = "__meta_kubernetes_"
    return [
        {
            "targets": [f"{pod['labels'][prefix + 'pod_ip']}:{port['targetPort']}"],
            "labels": {**pod["labels"], **{prefix + name: value for name, value in known.items()}},
        }
        for pod in pods
    ]


def scrape_config(monitor: Document, targets: list[Document], file: Path) -> Document:
    """The job of a monitor's only endpoint, with these targets, which are written into `file`."""
    kind, metadata, spec = monitor["kind"], monitor["metadata"], monitor["spec"]
    by_pod = kind == "PodMonitor"
    (endpoint,) = spec["podMetricsEndpoints" if by_pod else "endpoints"]
    file.write_text(json.dumps(targets))
    # The names that discovery is restricted to.
    (namespace,) = spec["namespaceSelector"]["matchNames"]
    relabelings = [
        {"action": "keep", "source_labels": ["__meta_kubernetes_namespace"], "regex": namespace},
        *([_drop("pod_phase", "(Failed|Succeeded)")] if by_pod else []),
        *_selected("pod" if by_pod else "service", spec["selector"]["matchLabels"]),
        *_port(endpoint, "pod_container_port_name" if by_pod else "endpointslice_port_name"),
        *_named(metadata, by_pod=by_pod),
        *map(_plain, endpoint.get("relabelings", [])),
    ]
    return {
        "job_name": f"{kind[0].lower()}{kind[1:]}/{metadata['namespace']}/{metadata['name']}/0",
        "metrics_path": endpoint["path"],
        "file_sd_configs": [{"files": [str(file)]}],
        "relabel_configs": relabelings,
    }


def _target(address: str, known: dict[str, str]) -> Document:
    return {"targets": [address], "labels": {f"__meta_kubernetes_{name}": value for name, value in known.items()}}


def _labels(of: str, labels: dict[str, str]) -> dict[str, str]:
    names = {_sanitized(name): value for name, value in labels.items()}
    return {f"{of}_label_{name}": value for name, value in names.items()} | {
        f"{of}_labelpresent_{name}": "true" for name in names
    }


def _sanitized(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", label)


def _selected(of: str, labels: dict[str, str]) -> Iterator[Relabeling]:
    for name, value in sorted(labels.items()):
        sources = [f"__meta_kubernetes_{of}_{what}_{_sanitized(name)}" for what in ("label", "labelpresent")]
        yield {"action": "keep", "source_labels": sources, "regex": f"({value});true"}


def _port(endpoint: Document, label: str) -> Iterator[Relabeling]:
    # A port number, too, is looked for among those that are declared.
    if number := endpoint.get("portNumber"):
        label, name = "pod_container_port_number", str(number)
    elif not (name := endpoint.get("port", "")):
        return
    yield {"action": "keep", "source_labels": [f"__meta_kubernetes_{label}"], "regex": name}


def _named(metadata: Document, *, by_pod: bool) -> Iterator[Relabeling]:
    labels = {"namespace": "namespace", "container": "pod_container_name", "pod": "pod_name"}
    if not by_pod:
        labels |= {"service": "service_name", "job": "service_name"}
    for label, source in labels.items():
        yield {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": label}
    if by_pod:
        yield {"target_label": "job", "replacement": f"{metadata['namespace']}/{metadata['name']}"}


def _drop(source: str, regex: str) -> Relabeling:
    return {"action": "drop", "source_labels": [f"__meta_kubernetes_{source}"], "regex": regex}


def _plain(relabeling: Relabeling) -> Relabeling:
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return {names.get(key, key): value for key, value in relabeling.items()}
