"""`python -m benchmarks.spread`: how evenly 2,000 nodes spread over the endpoints of the cluster's DNS.

Every node chooses by itself (`resolver/kubernetes/choice.py`), so this is what chance makes of it: how many nodes ask
the endpoint that most and the one that fewest ask, and how many nodes change anything when one endpoint goes. One
question in each node's favour is left out: between the endpoints that it has chosen, each goes where less is to do.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import pstdev

from benchmarks.command import begin
from benchmarks.publish import Place
from resolver.kubernetes.choice import MOST, choose
from resolver.kubernetes.slices import Endpoint, Ports

NODES = 2000
COUNTS = (2, 4, 10, 20, 50, 125, 500)
TABLE = Place(Path("docs/kubernetes.md"), "spread", "python -m benchmarks.spread --publish")


def endpoints(count: int) -> list[Endpoint]:
    """Of so many pods."""
    return [
        Endpoint(f"10.{200 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}", Ports(53, 53), True, False, ())
        for n in range(count)
    ]


def row(count: int, nodes: int) -> str:
    """A line of the table."""
    known = endpoints(count)
    asked: Counter[str] = Counter({each.address: 0 for each in known})
    changed = 0
    for number in range(nodes):
        chosen = choose(known, f"node-{number}", "", "")
        asked.update(each.address for each in chosen)
        changed += known[0] in chosen
    mean = sum(asked.values()) / count
    numbers = (
        f"{count:,}", f"{min(count, MOST)}", f"{mean:,.0f}", f"{min(asked.values()):,}", f"{max(asked.values()):,}",
        f"{max(asked.values()) / mean:.2f}", f"{100 * pstdev(asked.values()) / mean:.0f} %", f"{changed:,}",
    )  # fmt: skip
    return f"| {' | '.join(numbers)} |"


def table(nodes: int = NODES, counts: Sequence[int] = COUNTS) -> str:
    """For the page."""
    head = (
        "| endpoints | a node asks | nodes per endpoint, mean | fewest | most | most / mean | deviation | "
        "nodes that change when one goes |\n|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(row(count, nodes) for count in counts)])


def main(argv: Sequence[str] | None = None) -> int:
    """Print it, and publish where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spread", description=__doc__)
    arguments = begin(parser, argv, TABLE)
    text = table()
    print(text)
    if arguments.publish:
        TABLE.put(Path(), text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
