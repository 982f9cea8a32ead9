"""The demo from its first line to Ctrl-C: open the imagined world, start the resolver, let two pods ask, tell.

Every number in the text is measured: times by the pods, queries by the servers that got them. Only the distance to the
two stand-ins is made up, and the text says so.
"""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol, TextIO

from resolver.config import Config, load
from resolver.demo.compare import CLUSTER_DNS, OUTSIDE, compare
from resolver.demo.report import invitation, opening, told
from resolver.demo.server import Server
from resolver.demo.table import look_for
from resolver.demo.zones import CLUSTER_ZONES, OUTSIDE_ZONES, Zones

HOST = "127.0.0.1"
PREFERRED_PORT = 5300
NAMES = (
    "web.shop",
    "db.shop",
    "pay.shop.svc.cluster.local",
    "www.example.com",
    "api.partner.example",
    "example.com",
    "gone.shop",
)

# At most 3 and 25 ms: asyncio's timers may add up to 1 ms.
_CLUSTER_DELAYS = (0.0012, 0.0018, 0.001, 0.0023)
_OUTSIDE_DELAYS = (0.017, 0.021, 0.015, 0.024)
_WIDEST = 100

_YAML = """\
listen:
  addresses: [{resolver[0]}]
  port: {resolver[1]}
zones:
  - names: [cluster.local, in-addr.arpa, ip6.arpa]
    upstreams: ["{cluster[0]}:{cluster[1]}"]
    transport: tcp
  - names: ["."]
    upstreams: ["{outside[0]}:{outside[1]}"]
    transport: udp
admin:
  address: {admin[0]}
  port: {admin[1]}
log:
  format: text
  level: warning
"""


class Running(Protocol):
    """A started resolver."""

    async def close(self) -> None:
        """Stop answering and let go of the ports."""


async def run(start: Callable[[Config], Awaitable[Running]], out: TextIO) -> None:
    """Show the resolver that `start` brings up to a person reading `out`; return at SIGINT or SIGTERM.

    Raises what `start` raises and OSError if loopback has no ports left.
    """
    stopped = asyncio.Event()
    look = look_for(
        is_terminal=out.isatty(),
        encoding=out.encoding,
        width=min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns),
        environ=os.environ,
    )
    async with AsyncExitStack() as stack:
        servers = await _open_world(stack)
        addresses = {who: server.address for who, server in servers.items()}
        resolver, admin = (HOST, _free_port(PREFERRED_PORT)), (HOST, _free_port())
        yaml = _YAML.format(resolver=resolver, admin=admin, cluster=addresses[CLUSTER_DNS], outside=addresses[OUTSIDE])
        _say(out, opening(addresses, resolver, yaml, look))
        running = await start(load(yaml, "demo"))
        stack.push_async_callback(running.close)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
            stack.callback(asyncio.get_running_loop().remove_signal_handler, number)
        _say(out, told(await compare(NAMES, resolver, servers), look))
        _say(out, invitation(resolver, admin, look))
        await stopped.wait()


async def _open_world(stack: AsyncExitStack) -> dict[str, Server]:
    outside = Server(Zones(OUTSIDE_ZONES), _OUTSIDE_DELAYS)
    await outside.open()
    stack.push_async_callback(outside.close)
    cluster = Server(Zones(CLUSTER_ZONES), _CLUSTER_DELAYS, forward_to=outside.address)
    await cluster.open()
    stack.push_async_callback(cluster.close)
    return {CLUSTER_DNS: cluster, OUTSIDE: outside}


def _free_port(preferred: int = 0) -> int:
    """Return `preferred` if UDP and TCP are free there, else a port where they are."""
    for port in (preferred, *[0] * 20):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            # Connections of an earlier demo may linger in TIME_WAIT: they do not make the port taken.
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind((HOST, port))
                found: int = tcp.getsockname()[1]
                udp.bind((HOST, found))
            except OSError:
                continue
            return found
    raise OSError(f"no free port on {HOST}")


def _say(out: TextIO, text: str) -> None:
    out.write(text + "\n")
    out.flush()
