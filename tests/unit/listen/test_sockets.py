"""Opening sockets: options that replies depend on, and errors an operator can act on."""

import socket
from collections.abc import Callable

import pytest

from resolver.listen.sockets import ListenError, open_tcp, open_udp
from tests.unit.listen.fakes import need_ipv6


def test_unassigned_address_is_named_with_its_reason() -> None:
    with pytest.raises(ListenError) as caught:
        open_udp("192.0.2.1", 53)
    assert str(caught.value) == (
        "192.0.2.1:53/udp: address not assigned on this machine (EADDRNOTAVAIL): Cannot assign requested address"
    )


def test_ipv6_address_is_named_in_brackets() -> None:
    need_ipv6()
    with pytest.raises(ListenError, match=r"^\[2001:db8::1\]:53/tcp: address not assigned on this machine"):
        open_tcp("2001:db8::1", 53)


def test_address_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ListenError, match=r"^\[fe80::1%nowhere\]:53/udp: not an address of this machine: "):
        open_udp("fe80::1%nowhere", 53)


@pytest.mark.parametrize("opener", [open_udp, open_tcp])
def test_taken_port_is_reported_unless_it_is_to_be_shared(opener: Callable[..., socket.socket]) -> None:
    with opener("127.0.0.1", 0, reuse_port=True) as first:
        port = first.getsockname()[1]
        with pytest.raises(ListenError, match="another program listens there"):
            opener("127.0.0.1", port)
        opener("127.0.0.1", port, reuse_port=True).close()


def test_freebind_takes_an_address_that_is_not_there_yet() -> None:
    need_ipv6()
    with open_udp("192.0.2.1", 0, freebind=True) as four, open_udp("2001:db8::1", 0, freebind=True) as six:
        assert (four.getsockname()[0], six.getsockname()[0]) == ("192.0.2.1", "2001:db8::1")


def test_udp_queue_is_deeper_than_the_default() -> None:
    with open_udp("127.0.0.1", 0) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        default = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > default
