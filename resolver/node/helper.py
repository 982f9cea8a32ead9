"""The short-lived process that changes the node: one request on the command line, one reply on standard output.

What it imports to talk to the kernel (22 MiB) is gone with it; the process that starts it stays small. A request is
done as a whole or not at all: if a step fails, the steps before it are taken back.
"""

import sys
from contextlib import ExitStack
from typing import Final, NamedTuple

from resolver.lean import jsontext
from resolver.node.errors import ErrorType, NodeError

SET_UP: Final = "set up"
TEAR_DOWN: Final = "tear down"
TEST_BYPASS: Final = "test the bypass"
_NET_ADMIN: Final = 12  # <linux/capability.h>


class Request(NamedTuple):
    """What to do. `device` "" leaves interfaces alone and `rules` "" leaves nftables alone."""

    what: str
    device: str = ""
    kind: str = "dummy"
    assign: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    """Addresses of an earlier configuration; a device of our own carries none that `assign` does not name anyway."""
    rules: str = ""
    ask: tuple[str, ...] = ()
    port: int = 53


def main(text: str) -> None:
    """Do what `text` says and print what came of it, both in JSON."""
    request = Request(**jsontext.loads(text))
    try:
        done = _do(request)
    except NodeError as error:
        done = {"error": error.kind.value, "message": str(error)}
    print(jsontext.dumps(done))  # noqa: T201 - the reply


def _do(request: Request) -> dict[str, object]:
    if request.what == TEST_BYPASS:
        from resolver.node.selftest import test_bypass  # noqa: PLC0415 - imports pyroute2, which rules alone do not need

        return test_bypass(request.ask, request.port)._asdict()
    _check_privilege(request)
    return _set_up(request) if request.what == SET_UP else _tear_down(request)


def _set_up(request: Request) -> dict[str, object]:
    """The address first: a question that meets the rules without the address would leave the node untranslated."""
    device = ""
    with ExitStack() as opened, ExitStack() as undo:
        if request.device:
            from pyroute2 import IPRoute  # noqa: PLC0415 - as above

            from resolver.node import interface  # noqa: PLC0415 - as above

            route = opened.enter_context(IPRoute())
            device = interface.put(route, request.device, request.kind, request.assign, undo)
            if device == interface.LOOPBACK:
                interface.drop(route, request.drop, undo)
        if request.rules:
            _transact(request.rules)
        undo.pop_all()
    return {"device": device}


def _tear_down(request: Request) -> dict[str, object]:
    """Rules first, for the same reason; and both are tried whatever comes of the first."""
    problems = []
    if request.rules:
        try:
            _transact(request.rules)
        except NodeError as error:
            problems.append(error)
    if request.device:
        from pyroute2 import IPRoute  # noqa: PLC0415 - as above

        from resolver.node import interface  # noqa: PLC0415 - as above

        with IPRoute() as route:
            interface.remove(route, request.device, request.kind, (*request.assign, *request.drop))
    if problems:
        raise problems[0]
    return {}


def _transact(text: str) -> None:
    from resolver.node.nftables import transact  # noqa: PLC0415 - ctypes and the library only where rules are wanted

    transact(text)


def _check_privilege(request: Request) -> None:
    if not _may_administrate():
        key, kind = (
            ("node.manageInterface", ErrorType.INTERFACE_ADD)
            if request.device
            else ("node.notrack", ErrorType.IPTABLES)
        )
        raise NodeError(kind, f"{key}: the resolver needs the capability NET_ADMIN")


def _may_administrate() -> bool:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib is 1 ms of import here
        effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> _NET_ADMIN & 1)


if __name__ == "__main__":
    main(sys.argv[1])
