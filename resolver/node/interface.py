"""The network interface that carries the listen addresses, through pyroute2. For the helper process only: 22 MiB.

Everything is stated as it shall be, so doing it again changes nothing, and an interface that a predecessor left is
taken over, with its addresses put right. What this run changes it can also undo: each step leaves its opposite on a
stack. Where the kernel has no dummy devices, the loopback device carries the addresses.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from resolver.node.errors import ErrorType, NodeError

LOOPBACK: Final = "lo"
_NODAD: Final = 0x02  # IFA_F_NODAD, <linux/if_addr.h>: usable at once, nobody else can have it
_UP: Final = 0x01  # IFF_UP
_LINK_SCOPE: Final = 253  # addresses that the kernel makes itself
_REASONS: Final = {
    errno.EPERM: "the resolver needs the capability NET_ADMIN",
    errno.EACCES: "IPv6 is switched off on this node (net.ipv6.conf.all.disable_ipv6)",
}


def put(route: IPRoute, name: str, kind: str, addresses: Sequence[str], undo: ExitStack) -> str:
    """Make the device `name` of this kind carry exactly `addresses`, or else lo carry them too; the device's name.

    Raises NodeError; what was done until then, `undo` takes back.
    """
    try:
        index = _device(route, name, kind, undo)
        device = name if index is not None else LOOPBACK
        if index is None:
            (index,) = route.link_lookup(ifname=LOOPBACK)
        else:
            _remove_strangers(route, index, addresses, undo)
        for address in addresses:
            _assign(route, index, address, undo)
    except NetlinkError as error:
        raise _refused(f"{name} with {', '.join(addresses)}", error) from None
    return device


def drop(route: IPRoute, addresses: Sequence[str], undo: ExitStack) -> None:
    """Take from lo what an earlier configuration put there. Raises NodeError."""
    (index,) = route.link_lookup(ifname=LOOPBACK)
    try:
        for address in addresses:
            if _unassign(route, index, address):
                undo.callback(_assign, route, index, address, ExitStack())
    except NetlinkError as error:
        raise _refused(f"removing {', '.join(addresses)} from {LOOPBACK}", error) from None


def remove(route: IPRoute, device: str, kind: str, addresses: Sequence[str]) -> None:
    """Remove the device, or from lo the addresses; what is gone already is no error. Raises NodeError."""
    try:
        index = next(iter(route.link_lookup(ifname=device)), None)
        if index is None:
            return
        if device == LOOPBACK:
            for address in addresses:
                _unassign(route, index, address)
        elif _kind(route, index) == kind:
            route.link("del", index=index)
    except NetlinkError as error:
        raise _refused(f"removing {device}", error) from None


def _device(route: IPRoute, name: str, kind: str, undo: ExitStack) -> int | None:
    """The index of the device, up; None if this kernel has none of the kind."""
    found = route.link_lookup(ifname=name)
    if found:
        index: int = found[0]
        if (actual := _kind(route, index)) != kind:
            raise NodeError(
                ErrorType.INTERFACE_ADD,
                f"node.interface: {name} exists and is no {kind} device but {actual or 'another'}: choose another name",
            )
    else:
        try:
            route.link("add", ifname=name, kind=kind)
        except NetlinkError as error:
            if error.code == errno.EOPNOTSUPP:
                return None
            raise
        (index,) = route.link_lookup(ifname=name)
        undo.callback(route.link, "del", index=index)
    if not _link(route, index)["flags"] & _UP:
        route.link("set", index=index, state="up")
        if found:
            undo.callback(route.link, "set", index=index, state="down")
    return index


def _link(route: IPRoute, index: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - pyroute2's own message type
    return next(iter(route.get_links(index)))


def _kind(route: IPRoute, index: int) -> str | None:
    kind = _link(route, index).get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND")
    return None if kind is None else str(kind)


def _remove_strangers(route: IPRoute, index: int, addresses: Sequence[str], undo: ExitStack) -> None:
    """A predecessor with another configuration may have left addresses: nobody would answer there."""
    for message in list(route.get_addr(index=index)):
        address = message.get_attr("IFA_ADDRESS")
        if message["scope"] != _LINK_SCOPE and address not in addresses:
            route.addr("del", index=index, address=address, prefixlen=message["prefixlen"])
            undo.callback(route.addr, "add", index=index, address=address, prefixlen=message["prefixlen"])


def _assign(route: IPRoute, index: int, address: str, undo: ExitStack) -> None:
    flags = {"flags": _NODAD} if ":" in address else {}
    try:
        route.addr("add", index=index, address=address, prefixlen=_bits(address), **flags)
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise
    else:
        undo.callback(_unassign, route, index, address)


def _unassign(route: IPRoute, index: int, address: str) -> bool:
    """Whether it was there."""
    try:
        route.addr("del", index=index, address=address, prefixlen=_bits(address))
    except NetlinkError as error:
        if error.code not in {errno.EADDRNOTAVAIL, errno.ENODEV}:
            raise
        return False
    return True


def _bits(address: str) -> int:
    return 128 if ":" in address else 32


def _refused(what: str, error: NetlinkError) -> NodeError:
    name = errno.errorcode.get(error.code, str(error.code))
    reason = _REASONS.get(error.code, os.strerror(error.code))
    return NodeError(ErrorType.INTERFACE_ADD, f"node.manageInterface: {what}: the kernel said {name}: {reason}")
