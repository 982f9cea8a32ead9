"""`python -m benchmarks.lookups`: how many questions a pod sends for one lookup, by C library and by how it is set up.

Twenty names as programs write them, looked up with getaddrinfo for both families, by glibc and by musl, in a pod with
Kubernetes's usual settings and in one that opted in; with searchCompletion and without. The cluster's DNS is the real
CoreDNS. That the addresses found are the same with completion and without is checked.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.command import begin
from benchmarks.publish import Place
from tests import needs
from tests.lab.counting import COMPILERS, Lookup, build, look_up
from tests.lab.resolver import configuration
from tests.lab.scene import scene
from tests.lab.servers import CoreDNS
from tests.lab.topology import CLUSTER_DNS, LOCAL, OPTED_IN_RESOLV_CONF, WORLD_DNS
from tests.servers import coredns

TABLE = Place(Path("docs/names.md"), "lookups", "python -m benchmarks.lookups --publish")
NEEDED = (needs.NETNS, "nft", "gcc", "musl-gcc", "go", "unbound", "nsd")
USUAL_RESOLV_CONF = f"""\
nameserver {LOCAL}
search shop.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""
PODS = {"usual": USUAL_RESOLV_CONF, "opted in": OPTED_IN_RESOLV_CONF}
NAMES = (
    "web", "api", "db", "db-0.db", "web.shop", "api.shop", "kubernetes.default", "db-0.db.shop", "web.shop.svc",
    "kubernetes.default.svc", "web.shop.svc.cluster.local", "web.shop.svc.cluster.local.",
    "db-0.db.shop.svc.cluster.local", "example.com", "www.example.com", "www.example.com.", "four.example.com",
    "alias.example.com", "s3.eu.fresh.example.com", "missing.example.com",
)  # fmt: skip
"""As a program in the namespace shop writes them; `api` and `four` have no IPv6 address."""

Case = tuple[str, bool, str]
"""(pod, completion, library)"""
Measured = Mapping[Case, Sequence[Lookup]]


def measure() -> Measured:
    """Everything, in one lab."""
    found: dict[Case, list[Lookup]] = {}
    binary = coredns()
    with tempfile.TemporaryDirectory(prefix="nldns-") as name:
        folder = Path(name)
        programs = build(folder)
        with scene(folder, lambda lab: CoreDNS(lab.cluster, CLUSTER_DNS, folder, binary, WORLD_DNS)) as servers:
            pod = servers.lab.pod
            for completion in (False, True):
                with servers.resolver(configuration(cluster={"searchCompletion": completion}), measured=False):
                    for settings, text in PODS.items():
                        pod.write_resolv_conf(text)
                        for library, program in programs.items():
                            found[settings, completion, library] = [look_up(pod, program, each) for each in NAMES]
    return found


def differences(measured: Measured) -> list[str]:
    """Names for which completion has changed what is found, apart from finding what was not found before."""
    return [
        f"{settings}, {library}: {name}"
        for settings in PODS
        for library in COMPILERS
        for name, plain, completed in zip(
            NAMES, measured[settings, False, library], measured[settings, True, library], strict=True
        )
        if plain.found and plain.found != completed.found
    ]


def markdown(measured: Measured) -> str:
    """The table, with a mark where nothing was found."""
    cases = [(pod, completion, library) for pod in PODS for completion in (False, True) for library in COMPILERS]
    heads = [f"{pod}{', completed' if completion else ''}: {library}" for pod, completion, library in cases]
    lines = [f"| a program in `shop` writes | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for number, name in enumerate(NAMES):
        cells = (measured[case][number] for case in cases)
        lines.append(f"| `{name}` | {' | '.join(_cell(each) for each in cells)} |")
    sums = (str(sum(each.sent for each in measured[case])) for case in cases)
    lines.append(f"| all twenty | {' | '.join(sums)} |")
    return "\n".join(lines)


def _cell(lookup: Lookup) -> str:
    return f"{lookup.sent}{'' if lookup.found else ' –'}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and publish where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lookups", description=__doc__)
    arguments = begin(parser, argv, TABLE, NEEDED)
    measured = measure()
    table = markdown(measured)
    print(table)
    changed = differences(measured)
    if changed:
        print("found otherwise with completion:", *changed, sep="\n", file=sys.stderr)
    if arguments.publish:
        TABLE.put(Path(), table)
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
