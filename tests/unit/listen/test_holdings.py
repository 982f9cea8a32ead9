"""Sockets held for workers: what a changed configuration opens and drops, and what is refused as a whole."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from resolver.config import Admin, Config, Listen
from resolver.listen.holdings import Holdings
from resolver.listen.sockets import ListenError
from tests.network import free_port


def config(*addresses: str) -> Config:
    listen = Listen(addresses=addresses or ("127.0.0.1",), port=free_port())
    return Config(listen=listen, admin=Admin("127.0.0.1", free_port()))


@contextmanager
def holding(settings: Config, workers: int = 1, *, shared: bool = False) -> Iterator[Holdings]:
    holdings = Holdings(workers, shared=shared)
    holdings.commit(holdings.prepare(settings))
    try:
        yield holdings
    finally:
        holdings.close()


def test_where_the_admin_endpoints_cannot_move_nothing_else_is_opened() -> None:
    before = config()
    with holding(before) as holdings, socket.create_server(("127.0.0.1", 0)) as taken:
        admin = Admin("127.0.0.1", taken.getsockname()[1])
        after = before._replace(admin=admin, listen=before.listen._replace(addresses=("127.0.0.1", "127.0.0.9")))
        with pytest.raises(ListenError, match=f"admin endpoints at 127.0.0.1:{admin.port}: Address already in use"):
            holdings.prepare(after)
        assert list(holdings.places) == [("127.0.0.1", before.listen.port)]
        socket.create_server(("127.0.0.9", before.listen.port)).close()


def test_where_pods_cannot_be_listened_to_the_admin_endpoints_stay() -> None:
    before = config()
    with holding(before) as holdings:
        elsewhere = before._replace(admin=Admin("127.0.0.1", free_port()))
        with pytest.raises(ListenError, match="address not assigned"):
            holdings.prepare(elsewhere._replace(listen=before.listen._replace(addresses=("192.0.2.1",))))
        socket.create_connection(("127.0.0.1", before.admin.port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", elsewhere.admin.port))


@pytest.mark.parametrize(("one", "other"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")])
def test_a_change_between_one_address_and_all_is_refused_for_what_it_is(one: str, other: str) -> None:
    before = config(one)
    with (
        holding(before) as holdings,
        pytest.raises(ListenError, match=f"cannot change between {one} and {other} on port .* restart"),
    ):
        holdings.prepare(before._replace(listen=before.listen._replace(addresses=(other,))))


def test_a_change_that_is_not_made_leaves_nothing_open() -> None:
    before = config()
    with holding(before) as holdings:
        port = free_port()
        elsewhere = before._replace(admin=Admin("127.0.0.1", port), listen=Listen(("127.0.0.9",), port))
        holdings.prepare(elsewhere).cancel()
        socket.create_server(("127.0.0.9", port)).close()
        socket.create_server(("127.0.0.1", port)).close()
        assert list(holdings.places) == [("127.0.0.1", before.listen.port)]


def test_an_address_that_is_dropped_is_let_go() -> None:
    before = config("127.0.0.1", "127.0.0.9")
    with holding(before) as holdings:
        holdings.commit(holdings.prepare(before._replace(listen=before.listen._replace(addresses=("127.0.0.1",)))))
        socket.create_server(("127.0.0.9", before.listen.port)).close()


def test_each_worker_has_sockets_of_its_own_and_all_of_them_together_get_every_packet() -> None:
    settings = config()
    place = ("127.0.0.1", settings.listen.port)
    with holding(settings, 3) as holdings:
        udp = [holdings.of_worker(index)[place][0] for index in range(3)]
        assert len({sock.fileno() for sock in udp}) == 3
        for number in range(60):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.sendto(bytes((number,)), place)
        got = []
        for sock in udp:
            sock.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    got.append(sock.recv(10)[0])
        assert sorted(got) == list(range(60))


@pytest.mark.parametrize(("pairs", "workers"), [(1, 3), (3, 1), (2, 3), (3, 2)])
def test_sockets_of_a_predecessor_with_another_number_of_workers_all_have_a_reader(pairs: int, workers: int) -> None:
    settings = config()
    place = ("127.0.0.1", settings.listen.port)
    with holding(settings, pairs, shared=True) as before:
        after = Holdings(workers, shared=True)
        after.take_over(before.places, before.admin, settings.admin)
        change = after.prepare(settings)
        assert (change.added, change.dropped, change.admin) == ({}, [], None)
        shares = [after.of_worker(index)[place] for index in range(workers)]
        assert all(shares)
        assert {sock for share in shares for sock in share} == {sock for pair in before.places[place] for sock in pair}
