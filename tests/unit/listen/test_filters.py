"""The kernel drops what a filter names, and nothing else: on real sockets."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from resolver.listen import filters
from tests.unit.listen.fakes import need_ipv6

SENT = 100
ROOM_BYTES = 1024 * 1024  # for all that is sent


@contextlib.contextmanager
def sockets(server: str, *clients: str) -> Iterator[list[socket.socket]]:
    """A socket that receives, and one for each client that is connected to it."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(len(clients) + 1)]
        for sock, address in zip(all_of_them, (server, *clients), strict=True):
            sock.bind((address, 0))
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        for client in all_of_them[1:]:
            client.connect(all_of_them[0].getsockname())
        yield all_of_them


def received(server: socket.socket) -> list[bytes]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(server.recv(16))
    return found


def send_all(clients: list[socket.socket]) -> None:
    for number, client in enumerate(clients):
        for _ in range(SENT):
            client.send(b"%d" % number)


def test_of_each_client_its_share_passes_and_of_others_all() -> None:
    with sockets("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4") as (server, *clients):
        assert filters.attach(server, {"127.0.0.2": 0.0, "127.0.0.3": 0.5})
        send_all(clients)
        found = received(server)
    assert found.count(b"0") == 0
    assert SENT / 4 < found.count(b"1") < SENT * 3 / 4
    assert found.count(b"2") == SENT


def test_over_ipv6_a_client_is_its_whole_address() -> None:
    need_ipv6()
    with sockets("::1", "::1") as (server, client):
        assert filters.attach(server, {"::2": 0.0, "0:0:1::1": 0.0, "fe80::1%lo": 0.0})
        send_all([client])
        assert len(received(server)) == SENT
        assert filters.attach(server, {"::2": 0.0, "::1": 0.0})
        send_all([client])
        assert received(server) == []


def test_without_a_filter_everything_passes_and_taking_off_none_is_fine() -> None:
    with sockets("127.0.0.1", "127.0.0.2") as (server, client):
        filters.detach(server)
        filters.attach(server, {"127.0.0.2": 0.0})
        filters.detach(server)
        send_all([client])
        assert len(received(server)) == SENT


def test_the_longest_filter_is_taken_by_the_kernel() -> None:
    need_ipv6()
    with sockets("::1", "::1") as (server, client):
        assert filters.attach(server, {f"fd00::{number:x}": 0.5 for number in range(1, 33)})
        send_all([client])
        assert len(received(server)) == SENT


def test_a_socket_that_takes_no_filter_goes_on_without_one() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.getsockname()
    assert not filters.attach(sock, {"127.0.0.2": 0.5})
