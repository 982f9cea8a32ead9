"""The admin endpoints follow their address, and are never lost on the way."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from resolver.config.values import Admin, Config, Listen
from resolver.listen.holdings import Holdings
from resolver.ops.admin import AdminPlace
from resolver.ops.requests import Request, Response
from tests.network import free_port

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
NewLoop = Callable[[], asyncio.AbstractEventLoop]


async def hello(_: Request) -> Response:
    return Response(200, "hello")


def taken() -> socket.socket:
    """A port of 127.0.0.1 that somebody else listens on."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


async def serves(address: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return False
    writer.write(b"GET /hello HTTP/1.1\r\nHost: here\r\n\r\n")
    said = await reader.readuntil(b"hello\n")
    writer.close()
    return b"200 OK" in said


class Held:
    """The admin endpoints with whoever holds their socket."""

    def __init__(self) -> None:
        self.place = AdminPlace({("GET", "/hello"): hello})
        self.holdings = Holdings()
        self.moves: list[asyncio.Task[None]] = []

    async def start(self, settings: Admin) -> None:
        await self.place.start(self._open(settings).dup())

    def bind(self, settings: Admin) -> socket.socket | None:
        return self.holdings.prepare(asking_nothing(settings)).admin

    def move(self, settings: Admin) -> None:
        before = self.holdings.admin
        sock = self._open(settings)
        if sock is not before:
            self.moves.append(self.place.move(sock.dup()))

    async def moved(self, settings: Admin) -> None:
        self.move(settings)
        await self.settled()

    async def settled(self) -> None:
        await asyncio.gather(*self.moves)
        self.holdings.settle()

    def _open(self, settings: Admin) -> socket.socket:
        self.holdings.commit(self.holdings.prepare(asking_nothing(settings)))
        assert self.holdings.admin is not None
        return self.holdings.admin


def asking_nothing(settings: Admin) -> Config:
    return Config(admin=settings, listen=Listen(addresses=()))


def placed(new_loop: NewLoop, claim: Callable[[Held, int], Awaitable[None]]) -> None:
    """Run a claim about endpoints that are served on 127.0.0.1 at the port it is given."""

    async def run() -> None:
        held, port = Held(), free_port()
        await held.start(Admin("127.0.0.1", port))
        try:
            await claim(held, port)
        finally:
            await held.place.close()
            held.holdings.close()
        assert not await serves("127.0.0.1", port)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


@LOOPS
def test_a_move_serves_at_the_new_place_and_no_longer_at_the_old_one(new_loop: NewLoop) -> None:
    async def claim(held: Held, port: int) -> None:
        other = free_port()
        await held.moved(Admin("127.0.0.1", other))
        assert (await serves("127.0.0.1", port), await serves("127.0.0.1", other)) == (False, True)

    placed(new_loop, claim)


@LOOPS
def test_an_address_that_covers_the_old_one_is_taken_over_on_the_same_port(new_loop: NewLoop) -> None:
    async def claim(held: Held, port: int) -> None:
        await held.moved(Admin("0.0.0.0", port))
        assert await serves("127.0.0.2", port)
        await held.moved(Admin("127.0.0.1", port))
        assert (await serves("127.0.0.1", port), await serves("127.0.0.2", port)) == (True, False)

    placed(new_loop, claim)


@LOOPS
def test_a_place_that_cannot_be_had_is_refused_by_name_and_the_endpoints_stay(new_loop: NewLoop) -> None:
    async def claim(held: Held, port: int) -> None:
        with taken() as other:
            theirs = other.getsockname()[1]
            with pytest.raises(OSError, match=rf"admin endpoints at 127.0.0.1:{theirs}: Address already in use"):
                held.bind(Admin("127.0.0.1", theirs))
        with socket.socket() as beside:
            beside.bind(("127.0.0.9", port))
            beside.listen()
            with pytest.raises(OSError, match="Address already in use"):
                held.bind(Admin("0.0.0.0", port))
        assert await serves("127.0.0.1", port)

    placed(new_loop, claim)


@LOOPS
def test_a_place_that_is_bound_and_not_moved_to_changes_nothing(new_loop: NewLoop) -> None:
    async def claim(held: Held, port: int) -> None:
        for settings in (Admin("127.0.0.1", free_port()), Admin("0.0.0.0", port)):
            sock = held.bind(settings)
            assert sock is not None
            sock.close()
            assert await serves("127.0.0.1", port)
        assert held.bind(Admin("127.0.0.1", port)) is None

    placed(new_loop, claim)


@LOOPS
def test_a_place_that_was_moved_to_is_still_taken_for_others(new_loop: NewLoop) -> None:
    async def claim(held: Held, port: int) -> None:
        await held.moved(Admin("0.0.0.0", port))
        with pytest.raises(OSError, match="Address already in use"):
            socket.create_server(("127.0.0.1", port))

    placed(new_loop, claim)


@LOOPS
def test_of_several_moves_at_once_the_last_one_counts(new_loop: NewLoop) -> None:
    async def claim(held: Held, port: int) -> None:
        # Back to where it serves still is refused until it has left, and then tried again.
        others = free_port(), free_port()
        for other in others:
            held.move(Admin("127.0.0.1", other))
        await held.settled()
        assert [await serves("127.0.0.1", each) for each in (port, *others)] == [False, False, True]
        await held.moved(Admin("127.0.0.1", port))
        assert [await serves("127.0.0.1", each) for each in (port, *others)] == [True, False, False]

    placed(new_loop, claim)
