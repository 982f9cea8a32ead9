"""`python -m tests.soak --minutes N`: as root; a table, build/reports/soak.json, and status 1 if anything is wrong."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.lab.process import first_in_line, pass_priority_on
from tests.lab.reports import FOLDER, report
from tests.soak.run import Result, soak


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=500, help="questions of all clients together")
    arguments = parser.parse_args()
    # Whatever else the machine does: what is looked for is what gets lost or grows, not who waits for a processor.
    with first_in_line(), tempfile.TemporaryDirectory(prefix="nodelocaldns-soak-") as folder:
        if os.getsid(0) == os.getpid():
            pass_priority_on(os.getpid())
        result = soak(Path(folder), arguments.minutes, arguments.per_second)
    publish(result, arguments.minutes, arguments.per_second)
    for problem in result.problems:
        print(f"WRONG: {problem}")
    return 1 if result.problems else 0


def publish(result: Result, minutes: float, per_second: float) -> None:
    """The tables, and everything as JSON."""
    report("soak-stretches", [stretch.row() for stretch in result.stretches])
    settled = {
        name: {"minute": round(minute, 1), "PSS, MiB": round(taken.mib, 2), "descriptors": taken.descriptors}
        for name, (minute, taken) in result.settled.items()
    }
    growth = result.growth()
    whole = {
        "minutes": minutes, "per second": per_second, "counts": dict(sorted(result.total().items())),
        "settled": settled,
        "growth since minute 5, %": None if growth is None else round(100 * growth, 2),
        "log lines dropped": result.log_lines_dropped, "problems": result.problems,
    }  # fmt: skip
    text = json.dumps(whole, indent=2)
    print(text)
    (FOLDER / "soak.json").write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
