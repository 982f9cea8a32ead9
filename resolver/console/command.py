"""The commands `top` and `advise`: arguments in, text out, exit status back.

Both ask the admin endpoints of a running resolver, which has to have `admin.top` on. 0: told; 1: the resolver could not
be asked, or would not say; 2: wrong arguments.
"""

import json
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from typing import Any

from resolver.console.advising import advice_text, advices
from resolver.console.fetch import ConsoleError, fetch
from resolver.console.screen import screen
from resolver.survey.advice import ENOUGH

_TOP = """\
Shows who asks what on this node: the busiest pods, namespaces and names, names that do not exist,
and the slowest upstreams. The resolver has to count it: admin.top: true in its configuration."""
_TOP_EXAMPLES = """\
examples:
  nodelocaldns-resolver top                    live, until Ctrl-C
  nodelocaldns-resolver top --once --rows 30   one page, longer tables
  nodelocaldns-resolver top --json | jq '.missing[] | [.name, .rate]'

Counts come from a sample and may be a little too high; LATELY is the rate of the last 10 to 20 s.
exit status: 0 told, 1 the resolver could not be asked or would not say, 2 wrong arguments."""
_ADVISE = """\
Says of each workload whether the lean profile (one search domain, ndots 2) is safe for it, from the
names that it has asked for since the resolver began, and how many questions it would save."""
_ADVISE_EXAMPLES = """\
examples:
  nodelocaldns-resolver advise                 after a day that has everything in it
  nodelocaldns-resolver advise --json | jq '.[] | select(.verdict == "unsafe")'

verdicts: safe, unsafe (the evidence names what would break), not enough seen, opted in.
What a verdict rests on: docs/top.md. Exit status: 0 told, 1 the resolver could not be asked."""
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def run(arguments: Sequence[str]) -> int:
    """Run `top` or `advise`; the exit status."""
    order = _read(arguments)
    try:
        return _top(order) if order.command == "top" else _advise(order)
    except ConsoleError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 0


def _read(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="nodelocaldns-resolver")
    commands = parser.add_subparsers(dest="command", required=True)
    top = commands.add_parser(
        "top", help="who asks what, live", description=_TOP, epilog=_TOP_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--once", action="store_true", help="print one page and end")
    top.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two pages (default: 2)")
    top.add_argument("--rows", type=int, default=10, metavar="N", help="of each table (default: 10)")
    advise = commands.add_parser(
        "advise", help="which workloads could opt in with the lean profile", description=_ADVISE,
        epilog=_ADVISE_EXAMPLES, formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    advise.add_argument("--domain", default="cluster.local", help="the cluster's domain (default: %(default)s)")
    advise.add_argument(
        "--enough", type=int, default=ENOUGH, metavar="N", help="questions without which nothing is said (default: 100)"
    )
    for each in (top, advise):
        each.add_argument("--json", action="store_true", help="print JSON for scripts, once")
        each.add_argument(
            "--admin", default="http://127.0.0.1:9253", metavar="URL", help="the admin endpoints (default: %(default)s)"
        )
        each.add_argument("--token-file", default="", metavar="FILE", help="what admin.tokenFile has, where it is set")
    return parser.parse_args(arguments)


def _top(order: Namespace) -> int:
    page = fetch(order.admin, "/top", order.token_file)
    if order.json:
        print(json.dumps(page, indent=2))
        return 0
    if order.once:
        sys.stdout.write(screen(page, None, order.rows, get_terminal_size().columns))
        return 0
    before: Mapping[str, Any] | None = None
    while True:
        sys.stdout.write(_CLEAR + screen(page, before, order.rows, get_terminal_size().columns))
        sys.stdout.flush()
        time.sleep(max(order.every, 0.2))
        before, page = page, fetch(order.admin, "/top", order.token_file)


def _advise(order: Namespace) -> int:
    page = fetch(order.admin, "/top?asked=true", order.token_file)
    found = advices(page, order.domain, order.enough)
    if order.json:
        print(json.dumps(found, indent=2))
    else:
        sys.stdout.write(advice_text(found))
    return 0
