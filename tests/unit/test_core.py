"""The resolver's own sockets while configurations come and go, on loopback."""

import asyncio
import socket

import pytest

from resolver.config import Admin, Config, Listen, Upstream, Zone
from resolver.core import Resolver
from resolver.listen.holdings import Holdings
from resolver.listen.sockets import ListenError
from tests.network import free_port


def listening(port: int, *addresses: str) -> Config:
    zone = Zone(names=(".",), upstreams=(Upstream("127.0.0.1", 9),))
    return Config(listen=Listen(addresses=addresses, port=port), zones=(zone,), admin=Admin(port=free_port()))


def bound(resolver: Resolver) -> set[str]:
    return {str(listener.sock.getsockname()[0]) for both in resolver.listeners.values() for listener in both}


class Held:
    """A resolver with whoever holds its sockets."""

    def __init__(self, config: Config) -> None:
        self.holdings = Holdings()
        self.resolver = Resolver(config)

    async def start(self) -> None:
        self._hold(self.resolver.config)
        await self.resolver.start(self.holdings.of_worker(0))

    def apply(self, config: Config) -> None:
        change = self.holdings.prepare(config)
        self.holdings.commit(change)
        self.resolver.apply(config, self.holdings.of_worker(0, change.added))

    async def close(self) -> None:
        await self.resolver.close()
        self.holdings.close()

    def _hold(self, config: Config) -> None:
        self.holdings.commit(self.holdings.prepare(config))


def test_an_address_is_in_force_as_soon_as_its_configuration_is() -> None:
    async def run() -> None:
        port = free_port()
        held = Held(listening(port, "127.0.0.1"))
        await held.start()
        wanted = listening(port, "127.0.0.1", "127.0.0.2")
        held.apply(wanted)
        held.apply(wanted)  # two signals in one turn of the loop: it must not stand in its own way
        assert bound(held.resolver) == {"127.0.0.1", "127.0.0.2"}
        await held.close()

    asyncio.run(run())


def test_what_cannot_be_bound_changes_nothing_and_leaves_nothing_open() -> None:
    async def run() -> None:
        port = free_port()
        before = listening(port, "127.0.0.1")
        held = Held(before)
        await held.start()
        with socket.socket() as other:
            other.bind(("127.0.0.3", port))
            other.listen()
            with pytest.raises(ListenError, match=r"127\.0\.0\.3"):
                held.apply(listening(port, "127.0.0.2", "127.0.0.3"))
        assert (held.resolver.config, bound(held.resolver)) == (before, {"127.0.0.1"})
        held.apply(listening(port, "127.0.0.2", "127.0.0.3"))
        assert bound(held.resolver) == {"127.0.0.2", "127.0.0.3"}
        await held.close()
        again = Held(before._replace(listen=before.listen._replace(addresses=("127.0.0.1", "127.0.0.2"))))
        await again.start()
        await again.close()

    asyncio.run(run())
