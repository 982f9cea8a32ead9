"""The command `nodelocaldns-resolver` (= `python -m resolver`): arguments in, exit status out.

0: done (stopped by a signal, --check found nothing, --started is so); 1: could not start, has not started; 2: wrong
arguments or configuration. Of a conversion: 0: nothing was left out or changed in meaning; 1: something was; 2: nothing
could be converted.
"""

import resolver.lean

resolver.lean.begin()  # before these, and what they import

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import TYPE_CHECKING, NamedTuple  # noqa: E402

from resolver import __version__  # noqa: E402

if TYPE_CHECKING:
    from argparse import ArgumentParser, _MutuallyExclusiveGroup

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
  nodelocaldns-resolver doctor                        what is wrong on this node? (doctor --help tells more)
  kubectl -n kube-system get --ignore-not-found -o yaml cm/node-local-dns cm/kube-dns ds/node-local-dns \\
      svc/kube-dns-upstream | nodelocaldns-resolver --convert-corefile - >resolver.yaml
  nodelocaldns-resolver top                           who asks what, live (needs admin.top; --help tells more)
  nodelocaldns-resolver advise                        which workloads could opt in, and what it would save

signals: SIGTERM and SIGINT answer what was read, then stop; SIGHUP reads the configuration again
(a changed file is noticed without it). Every key of the file: docs/configuration.md."""

_COMMANDS = ("doctor", "top", "advise")


class Order(NamedTuple):
    """What the arguments ask for."""

    config: str = DEFAULT_CONFIG
    check: bool = False
    demo: bool = False
    convert_corefile: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    form: str = "resolver"
    started: str = ""


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
        case ["--started", path] if not path.startswith("-"):
            return Order(started=path)
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
    modes.add_argument(
        "--started", metavar="PATH", default="",
        help="for a probe in the container: has the resolver in it begun to listen at this hand-over socket? 0 or 1",
    )  # fmt: skip
    modes.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    _offer_conversion(parser, modes)
    order = parser.parse_args(arguments)
    if order.convert_corefile is None and (order.settings or order.form != "resolver"):
        parser.error("--set and --as are for --convert-corefile")
    order.settings = tuple(order.settings)
    return Order(**vars(order))


def _offer_conversion(parser: "ArgumentParser", modes: "_MutuallyExclusiveGroup") -> None:
    """The arguments of --convert-corefile."""
    modes.add_argument(
        "--convert-corefile",
        metavar="FILE",
        help="print the configuration that does what NodeLocal DNSCache does with this Corefile or these objects of "
        "Kubernetes (- for standard input), and on standard error, by line, what it does not: 0, 1 or 2",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="settings",
        action="append",
        type=_setting,
        default=[],
        help="the value of a variable of the Corefile, __PILLAR__...__ or {$NAME}; with --convert-corefile",
    )
    parser.add_argument(
        "--as",
        dest="form",
        choices=("resolver", "values"),
        default="resolver",
        help="print resolver.yaml, or values for the chart; with --convert-corefile",
    )


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(text)
    return name, value


def _version() -> str:
    from resolver import histogram  # noqa: PLC0415 - any of the modules that can be compiled tells

    return __version__ if str(histogram.__file__).endswith(".py") else f"{__version__} (compiled)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    given = sys.argv[1:] if argv is None else argv
    if given and given[0] in _COMMANDS:
        return _command(given)
    arguments = read_order(given)
    if arguments.demo:
        return _demo()
    if arguments.convert_corefile is not None:
        return _convert(arguments.convert_corefile, dict(arguments.settings), arguments.form)
    if arguments.started:
        from resolver.supervisor.started import is_started  # noqa: PLC0415

        return 0 if is_started(arguments.started) else 1
    from resolver.config.problems import ConfigError  # noqa: PLC0415
    from resolver.ops.watch import read_text  # noqa: PLC0415

    try:
        text = read_text(arguments.config)
        if not arguments.check:
            return _serve(arguments.config, text)
        from resolver.config.reading import load  # noqa: PLC0415 - 1 MiB that a supervisor leaves to its child

        load(text, arguments.config, os.environ)
    except OSError as error:
        print(f"{arguments.config}: {error.strerror or error}", file=sys.stderr)
        return 2
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _command(given: Sequence[str]) -> int:
    """Run what has a name of its own; each imports what it needs."""
    if given[0] == "doctor":
        from resolver.doctor.command import run as examine  # noqa: PLC0415

        return examine(given[1:], DEFAULT_CONFIG)
    from resolver.console.command import run  # noqa: PLC0415

    return run(given)


def _serve(path: str, text: str) -> int:
    """Run the resolver; raises ConfigError before anything has begun."""
    from resolver.main import run_service  # noqa: PLC0415
    from resolver.supervisor.settings import read_apart  # noqa: PLC0415

    return run_service(path, text, read_apart(text, path))


def _convert(path: str, values: dict[str, str], form: str) -> int:
    """Print the configuration that stands for a Corefile, and what there is to say about it."""
    from resolver.migration import MigrationError, convert  # noqa: PLC0415
    from resolver.ops.watch import read_text  # noqa: PLC0415

    name = "standard input" if path == "-" else path
    try:
        text = sys.stdin.buffer.read().decode(errors="replace") if path == "-" else read_text(path)
        conversion = convert(text, name, values, form=form)
    except (OSError, MigrationError) as error:
        print(f"{path}: {error.strerror or error}" if isinstance(error, OSError) else error, file=sys.stderr)
        return 2
    sys.stdout.write(conversion.text)
    sys.stdout.flush()
    for remark in conversion.remarks:
        print(remark, file=sys.stderr)
    return 0 if conversion.complete else 1


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
