"""The resolver's own sockets while configurations come and go, on loopback."""

import asyncio
import socket
from dataclasses import replace

import pytest

from resolver.config import Config, Listen, Upstream, Zone
from resolver.core import Resolver
from resolver.listen.sockets import ListenError


def free_port() -> int:
    """A port that is free on all loopback addresses."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("0.0.0.0", 0))
        udp.bind(tcp.getsockname())
        return int(tcp.getsockname()[1])


def listening(port: int, *addresses: str) -> Config:
    zone = Zone(names=(".",), upstreams=(Upstream("127.0.0.1", 9),))
    return Config(listen=Listen(addresses=addresses, port=port), zones=(zone,))


def bound(resolver: Resolver) -> set[str]:
    return {str(listener.sock.getsockname()[0]) for both in resolver.listeners.values() for listener in both}


def test_an_address_is_in_force_as_soon_as_its_configuration_is() -> None:
    async def run() -> None:
        port = free_port()
        resolver = Resolver(listening(port, "127.0.0.1"))
        await resolver.start()
        wanted = listening(port, "127.0.0.1", "127.0.0.2")
        resolver.apply(wanted)
        resolver.apply(wanted)  # two signals in one turn of the loop: it must not stand in its own way
        assert bound(resolver) == {"127.0.0.1", "127.0.0.2"}
        await resolver.close()

    asyncio.run(run())


def test_what_cannot_be_bound_changes_nothing_and_leaves_nothing_open() -> None:
    async def run() -> None:
        port = free_port()
        before = listening(port, "127.0.0.1")
        resolver = Resolver(before)
        await resolver.start()
        with socket.socket() as other:
            other.bind(("127.0.0.3", port))
            other.listen()
            with pytest.raises(ListenError, match=r"127\.0\.0\.3"):
                resolver.apply(listening(port, "127.0.0.2", "127.0.0.3"))
        assert (resolver.config, bound(resolver)) == (before, {"127.0.0.1"})
        resolver.apply(listening(port, "127.0.0.2", "127.0.0.3"))
        assert bound(resolver) == {"127.0.0.2", "127.0.0.3"}
        await resolver.close()
        again = Resolver(replace(before, listen=replace(before.listen, addresses=("127.0.0.1", "127.0.0.2"))))
        await again.start()
        await again.close()

    asyncio.run(run())
