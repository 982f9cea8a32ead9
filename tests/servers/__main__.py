"""`python -m tests.servers` builds everything the tests want built with Go, ahead of them."""

import os
import sys
from pathlib import Path

from tests import needs
from tests.servers.build import CannotBuildError, build, programs

TESTS = Path(__file__).parent.parent


def main() -> int:
    """Build every program of the Go modules under tests/. Without Go this fails only where skips are refused."""
    if (reason := needs.missing("go")) and os.environ.get(needs.NO_SKIP) != "1":
        print(f"{reason}; the tests that use it will be skipped", file=sys.stderr)
        return 0
    try:
        for go_mod in sorted(TESTS.rglob("go.mod")):
            for program in programs(go_mod.parent):
                build(go_mod.parent, program)
    except CannotBuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
