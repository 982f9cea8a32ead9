"""`nodelocaldns-webhook` and `python -m webhook`: arguments in, exit status out.

The parts are imported once it is clear which of them are needed: --check and --version answer at once.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from resolver import __version__
from resolver.config import ConfigError
from resolver.ops.watch import read_text
from webhook.schema import load

DEFAULT_CONFIG: Final = "/etc/nodelocaldns/webhook.yaml"

_DESCRIPTION = """\
An admission webhook: pods that opt in get the node-local DNS cache as their first
nameserver, one search domain and ndots 2. It never refuses a pod."""

_EPILOG = """\
examples:
  nodelocaldns-webhook --config webhook.yaml              run it
  nodelocaldns-webhook --config webhook.yaml --check      is this file right?
  nodelocaldns-webhook --audit                            which running pods ask for injection and lack it?
  nodelocaldns-webhook --print policy | kubectl apply -f -    the same without a webhook, from Kubernetes 1.36

Every key of the file: docs/webhook-configuration.md."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        config = load(read_text(arguments.config), arguments.config)
    except OSError as error:
        print(f"{arguments.config}: {error.strerror or error}", file=sys.stderr)
        return 2
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.check:
        return 0
    from webhook import main as run  # noqa: PLC0415 - 70 MiB and a second for what --check needs not

    if arguments.audit:
        return run.run_audit(config, arguments.namespace)
    if arguments.trial:
        return run.run_trial(config, arguments.namespace)
    if arguments.print:
        return run.run_print(config, arguments.print)
    return run.run_service(config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nodelocaldns-webhook",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", metavar="FILE", default=DEFAULT_CONFIG, help="the configuration to use (default: %(default)s)"
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--check", action="store_true", help="only say what is wrong with the configuration: 0 or 2")
    modes.add_argument(
        "--audit", action="store_true", help="list running pods that ask for injection and lack it: 0 or 1"
    )
    modes.add_argument(
        "--trial",
        action="store_true",
        help="look names up as pods do and, with --namespace, create a pod as a dry run: 0 or 1",
    )
    modes.add_argument("--print", choices=("registration", "policy", "guard"), help="print manifests for kubectl apply")
    modes.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--namespace", metavar="N", default="", help="for --audit: this namespace only; for --trial: where"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
