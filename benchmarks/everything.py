"""`python -m benchmarks.everything`: memory with all that knows Kubernetes switched on, and with all of it off.

A real API server has 5,000 Services with a slice each and 110 pods on the node; the resolver runs as its image runs it,
compiled, and a pod asks 10,000 names. Counted are all processes of the resolver: supervisor, worker and, where anything
is watched, the informer.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import machine, table
from benchmarks.command import begin
from benchmarks.compiled import as_in_the_image
from benchmarks.publish import Place
from tests import needs
from tests.lab.apiserver import ApiServer
from tests.lab.dnspods import VIRTUAL, DnsPods, dns_pods
from tests.lab.process import first_in_line
from tests.lab.reports import Row, report
from tests.lab.resolver import Configuration, Resolver, configuration
from tests.lab.steady import DIGITS, Asked, steady
from tests.lab.topology import LOCAL, lab
from tests.lab.waiting import wait_until

SERVICES, PODS, NAMES = 5000, 110, 10_000
WATCHES = 4
"""Of all Services, all EndpointSlices, this node's pods, and the slices of the cluster's DNS."""
PER_SECOND = 2000
QUESTION = Asked(f"{DIGITS.decode()}.fresh.svc.cluster.local", "A", bytes((10, 96, 99, 99)))
TABLE = Place(Path("docs/kubernetes.md"), "memory", "python -m benchmarks.everything --publish")
NEEDED = (needs.NETNS, "nft", "conntrack", "gcc", "go")
_CALLERS = 4


def populate(api: ApiServer) -> None:
    """The Services, their slices, and the pods."""
    with ThreadPoolExecutor(_CALLERS) as callers:
        for made in (callers.map(lambda n: _service(api, n), range(SERVICES)),
                     callers.map(lambda n: _pod(api, n), range(PODS))):  # fmt: skip
            list(made)


def _service(api: ApiServer, number: int) -> None:
    name = f"service-{number}"
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "metrics", "port": 9090, "protocol": "TCP"}]
    service = {"metadata": {"name": name, "labels": {"app": name}}, "spec": {"ports": ports, "selector": {"app": name}}}
    api.must("POST", "/api/v1/namespaces/default/services", service)
    endpoints = [
        {"addresses": [f"10.{128 + each}.{number >> 8}.{number & 255}"], "conditions": {"ready": True}}
        for each in range(3)
    ]
    slice_ = {
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }
    api.must("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice_)


def _pod(api: ApiServer, number: int) -> None:
    address = f"10.244.1.{number + 20}"
    spec = {"nodeName": "real", "containers": [{"name": "main", "image": "none"}]}
    api.create_pod("default", {"metadata": {"name": f"pod-{number}"}, "spec": spec})
    path = f"/api/v1/namespaces/default/pods/pod-{number}"
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    api.must("PUT", f"{path}/status", {**api.must("GET", path), "status": status})


def off() -> Configuration:
    """As most run it."""
    return configuration(cluster={"upstreams": [VIRTUAL]}, node={"user": "nobody"})


def on(pods: DnsPods) -> Configuration:
    """All that there is."""
    cluster: dict[str, Any] = {"upstreams": pods.upstreams(), "freshness": True, "searchCompletion": True}
    cluster["filterAAAA"] = True
    settings = {**pods.settings(), "pods": True}
    config = configuration(
        cluster=cluster, world={"queriesPerSecond": 900, "filterAAAA": True}, kubernetes=settings,
        node={"user": "nobody"},
    )  # fmt: skip
    config["admin"]["top"] = True
    return config


def measure(pods: DnsPods, folder: Path, what: str, config: Configuration, watches: int) -> Row:
    """One line of the table."""
    one = Resolver(pods.lab.node, folder, config, measured=False, program=as_in_the_image())
    try:
        one.start()
        wait_until(lambda: one.metric("nodelocaldns_cluster_watching") == watches, "the watches", 60)
        with steady(folder, [pods.lab.pod], LOCAL, [QUESTION], per_second=PER_SECOND) as load:
            load.go_on(NAMES)
        resident = one.resident_bytes()
        shares = [machine.pss_kibibytes(pid) for pid in resident]
    finally:
        one.process.kill()
    names = "supervisor, worker, informer" if watches else "supervisor, worker"
    if len(resident) != len(names.split(", ")):
        raise RuntimeError(f"{len(resident)} processes instead of {names}")
    return {
        "switched on": what,
        "processes": names,
        "resident, MiB, sum": round(sum(resident.values()) / 1024**2, 1),
        "proportional (PSS), MiB, sum": round(sum(shares) / 1024, 1),
    }


def markdown(rows: Sequence[Row]) -> str:
    """The table for the page, and how it came about."""
    head = f"""\
{SERVICES:,} Services with an EndpointSlice each, {PODS} pods on the node, {NAMES:,} names asked; compiled, as in the
image, one worker."""
    return f"{head}\n\n{table.markdown(table.named(rows), words=2)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report, and publish where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.everything", description=__doc__)
    arguments = begin(parser, argv, TABLE, NEEDED)
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="nldns-")))
        ending.enter_context(first_in_line())
        pods = ending.enter_context(dns_pods(ending.enter_context(lab()), folder))
        populate(pods.api)
        made = [pods.pod() for _ in range(3)]
        for pod in made:
            ending.callback(pod.gone)
            pod.start()
        pods.publish(made)
        rows = [
            measure(pods, folder, "nothing", off(), 0),
            measure(pods, folder, "everything on this page, `searchCompletion`, `filterAAAA`, a budget, `admin.top`",
                    on(pods), WATCHES),
        ]  # fmt: skip
    report("everything", rows)
    text = markdown(rows)
    print(text)
    if arguments.publish:
        TABLE.put(Path(), text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
