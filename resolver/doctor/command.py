"""The command `doctor`: arguments in, findings out, exit status back.

0: nothing is broken; 1: something is; 2: wrong arguments, or a configuration that cannot be used.
"""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence

from resolver.config import Config, ConfigError, load
from resolver.doctor.findings import Finding, as_plain, as_text, has_problem, ok, problem
from resolver.doctor.node import look_at_node
from resolver.doctor.pod import Pod, find_pod, look_at_pod
from resolver.doctor.upstreams import look_at_resolver, look_at_upstreams
from resolver.ops.watch import read_text

_DESCRIPTION = """\
Looks at a node and says in plain words what is wrong with its DNS cache, and what helps. It changes
nothing. Run it where the resolver runs, as root: in the node's network, with the same configuration."""

_EPILOG = """\
what it looks at, in this order:
  configuration   can the file be used?
  address         are the listen addresses on an interface?
  port            who listens there, and does it answer over UDP and TCP?
  rules, bypass   are the nftables rules there, and does a question leave no entry in conntrack?
  upstream        does each server answer for its zone, and how fast?
  resolver        does the resolver answer for each zone?
  pod             with --pod: whom does its resolv.conf ask, and does that answer in its network?

examples:
  nodelocaldns-resolver doctor
  kubectl -n kube-system exec ds/nodelocaldns-resolver -- nodelocaldns-resolver doctor
  nodelocaldns-resolver doctor --pod "$(crictl inspect --output go-template --template '{{.info.pid}}' CONTAINER)"
  nodelocaldns-resolver doctor --json | jq '.findings[] | select(.state == "problem")'

exit status: 0 nothing is broken, 1 something is, 2 wrong arguments or a file that cannot be used."""


def run(arguments: Sequence[str], default_config: str) -> int:
    """Run the command; the exit status."""
    order = _read(arguments, default_config)
    try:
        pod = find_pod(order.pod) if order.pod else None
    except OSError as error:
        print(f"--pod {order.pod}: {error.strerror}: give a process ID or a network namespace", file=sys.stderr)
        return 2
    try:
        config = load(read_text(order.config), order.config, os.environ)
    except (ConfigError, OSError) as error:
        reason = str(error) if isinstance(error, ConfigError) else f"{order.config}: {error.strerror or error}"
        fix = "mend the file, or name another one with --config; docs/configuration.md has every key"
        _tell([problem("configuration", reason, fix)], as_json=order.json)
        return 2
    findings = [ok("configuration", f"{order.config} can be used"), *_look(config, pod)]
    _tell(findings, as_json=order.json)
    return 1 if has_problem(findings) else 0


def _look(config: Config, pod: Pod | None) -> Iterator[Finding]:
    yield from look_at_node(config)
    yield from look_at_upstreams(config)
    yield from look_at_resolver(config)
    if pod is not None:
        yield from look_at_pod(pod, config.listen)


def _tell(findings: Sequence[Finding], *, as_json: bool) -> None:
    text = json.dumps(as_plain(findings), indent=2) + "\n" if as_json else as_text(findings)
    sys.stdout.write(text)


def _read(arguments: Sequence[str], default_config: str) -> Namespace:
    parser = ArgumentParser(
        prog="nodelocaldns-resolver doctor",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", metavar="FILE", default=default_config, help="the resolver's configuration (default: %(default)s)"
    )
    parser.add_argument(
        "--pod", metavar="PID|NETNS", default="",
        help="look at this pod, too: the ID of one of its processes, or its network namespace (a name or a path)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    return parser.parse_args(arguments)
