"""The command `nodelocaldns-resolver` (= `python -m resolver`): arguments in, exit status out.

0: done (stopped by a signal, or --check found nothing); 1: could not start; 2: wrong arguments or configuration.
"""

import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

from resolver import __version__

DEFAULT_CONFIG = "/etc/nodelocaldns/resolver.yaml"

_DESCRIPTION = """\
A DNS cache for one Kubernetes node. It answers pods on a link-local address, asks the
cluster's DNS over TCP and the node's own servers for the rest, and keeps answering from
memory when they are gone."""

_EPILOG = """\
examples:
  nodelocaldns-resolver --demo                        see it work: no root, no cluster, no network
  nodelocaldns-resolver --config resolver.yaml --check    is this file right?
  nodelocaldns-resolver --config resolver.yaml            run it

signals: SIGTERM and SIGINT answer what was read, then stop; SIGHUP reads the configuration again
(a changed file is noticed without it). Every key of the file: docs/configuration.md."""


class Order(NamedTuple):
    """What the arguments ask for."""

    config: str = DEFAULT_CONFIG
    check: bool = False
    demo: bool = False


def read_order(arguments: Sequence[str]) -> Order:
    """Raises SystemExit for wrong arguments, --help and --version.

    The way a node starts it is understood without argparse, which brings shutil and three compression libraries along
    for the width of the terminal: 1 MiB that would stay in memory.
    """
    match arguments:
        case []:
            return Order()
        case ["--config", path] if not path.startswith("-"):
            return Order(path)
    return _parse(arguments)


def _parse(arguments: Sequence[str]) -> Order:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter  # noqa: PLC0415 - see above

    parser = ArgumentParser(
        prog="nodelocaldns-resolver",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", metavar="FILE", default=DEFAULT_CONFIG, help="the configuration to use (default: %(default)s)"
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--check", action="store_true", help="only say what is wrong with the configuration: 0 or 2")
    modes.add_argument("--demo", action="store_true", help="show it on loopback in front of an imagined cluster")
    modes.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    return Order(**vars(parser.parse_args(arguments)))


def _version() -> str:
    from resolver import histogram  # noqa: PLC0415 - any of the modules that can be compiled tells

    return __version__ if str(histogram.__file__).endswith(".py") else f"{__version__} (compiled)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    arguments = read_order(sys.argv[1:] if argv is None else argv)
    if arguments.demo:
        return _demo()
    from resolver.config import ConfigError, load  # noqa: PLC0415
    from resolver.ops.watch import read_text  # noqa: PLC0415

    try:
        text = read_text(arguments.config)
        if not arguments.check:
            return _serve(arguments.config, text)
        load(text, arguments.config)
    except OSError as error:
        print(f"{arguments.config}: {error.strerror or error}", file=sys.stderr)
        return 2
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _serve(path: str, text: str) -> int:
    """Run the resolver; raises ConfigError before anything has begun."""
    from resolver.main import run_service  # noqa: PLC0415
    from resolver.supervisor.settings import read_apart  # noqa: PLC0415

    return run_service(path, text, read_apart(text, path))


def _demo() -> int:
    """Run the demo; to be told to stop before it hears signals itself is no error, either."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from resolver.main import run_demo  # noqa: PLC0415 - each way of running imports what it needs

        return run_demo()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
