"""The resolver with its operations around it, on loopback: what a reload takes over, and what it refuses as a whole."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from resolver.config import Admin, Config, Listen, Log, Upstream, Zone
from resolver.main import Service
from resolver.ops.logs import Logs


def free_port() -> int:
    """A port of 127.0.0.1 that was free for TCP a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def config(*addresses: str) -> Config:
    zone = Zone(names=(".",), upstreams=(Upstream("127.0.0.1", 1),))
    listen = Listen(addresses=addresses or ("127.0.0.1",), port=free_port())
    return Config(listen=listen, zones=(zone,), admin=Admin("127.0.0.1", free_port()))


def serving(settings: Config, claim: Callable[[Service], Awaitable[None]]) -> None:
    """Run a claim about a service that is running with these settings."""

    async def run() -> None:
        service = Service(settings, None, "", Logs(Log()))
        await service.start()
        try:
            await claim(service)
        finally:
            await service.close()

    asyncio.run(run())


def test_where_the_admin_endpoints_cannot_move_nothing_else_of_the_file_is_taken_over() -> None:
    before = config()

    async def claim(service: Service) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            admin = Admin("127.0.0.1", taken.getsockname()[1])
            after = replace(before, admin=admin, listen=replace(before.listen, addresses=("127.0.0.1", "127.0.0.9")))
            with pytest.raises(OSError, match=f"admin endpoints at 127.0.0.1:{admin.port}: Address already in use"):
                service._apply(after)
            assert service.resolver.config == before
            assert list(service.resolver.listeners) == [("127.0.0.1", before.listen.port)]
        service._apply(after)
        assert service.resolver.config == after

    serving(before, claim)


def test_where_pods_cannot_be_listened_to_the_admin_endpoints_stay() -> None:
    before = config()

    async def claim(service: Service) -> None:
        elsewhere = replace(before, admin=Admin("127.0.0.1", free_port()))
        with pytest.raises(OSError, match="address not assigned"):
            service._apply(replace(elsewhere, listen=replace(before.listen, addresses=("192.0.2.1",))))
        socket.create_connection(("127.0.0.1", before.admin.port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", elsewhere.admin.port))

    serving(before, claim)


@pytest.mark.parametrize(("one", "other"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")])
def test_a_change_between_one_address_and_all_is_refused_for_what_it_is(one: str, other: str) -> None:
    before = config(one)

    async def claim(service: Service) -> None:
        with pytest.raises(OSError, match=f"cannot change between {one} and {other} on port .* restart"):
            service._apply(replace(before, listen=replace(before.listen, addresses=(other,))))
        assert service.resolver.config == before

    serving(before, claim)
