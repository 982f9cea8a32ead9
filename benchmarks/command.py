"""How a benchmark whose table stands on a page begins: its arguments, and whether the machine has what it needs."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from benchmarks.compiled import ROOT
from benchmarks.publish import Place
from tests import needs


def begin(parser: ArgumentParser, argv: Sequence[str] | None, table: Place, needed: Sequence[str] = ()) -> Namespace:
    """The arguments, `publish` among them; from here on the working folder is the repository's.

    Raises SystemExit where they are wrong, or where something of tests/needs.py is missing, which is said.
    """
    parser.add_argument("--publish", action="store_true", help=f"write the table into {table.page}")
    arguments = parser.parse_args(argv)
    os.chdir(ROOT)
    if lacking := [reason for thing in needed if (reason := needs.missing(thing))]:
        parser.exit(2, "\n".join(lacking) + "\n")
    return arguments
