"""Messages between processes: whole, in order, with their descriptors, and bounded whatever the other end says."""

import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.supervisor import channel as module
from resolver.supervisor.channel import PART_BYTES, PART_DESCRIPTORS, Channel, ChannelError, pair


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = pair()
    yield one, other
    one.close()
    other.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_is_sent_arrives_in_order(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    assert other.receive() is None
    for number in range(3):
        one.send({"number": number})
    assert [other.receive() for _ in range(4)] == [({"number": 0}, []), ({"number": 1}, []), ({"number": 2}, []), None]


def test_a_long_message_with_many_descriptors_arrives_whole(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    gc.collect()  # of others in this process
    before = open_descriptors()
    text = "x" * (20 * PART_BYTES)
    many = [one.sock.fileno()] * (2 * PART_DESCRIPTORS + 1)
    one.send({"text": text}, many)
    assert one.blocked
    received = None
    while received is None:
        received = other.receive()
        one.flush()
    message, descriptors = received
    assert (message, len(descriptors)) == ({"text": text}, len(many))
    for number in descriptors:
        os.close(number)
    assert open_descriptors() == before


def test_an_end_that_is_gone_is_told_by_both_ways(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    other.close()
    with pytest.raises(ChannelError):
        one.send({})
    with pytest.raises(ChannelError):
        one.receive()


def send_for_ever(one: Channel) -> None:
    while True:
        one.send({"text": "x" * 1000}, [one.sock.fileno()])


def test_who_reads_nothing_is_given_up_and_nothing_stays_open(ends: tuple[Channel, Channel]) -> None:
    one, _ = ends
    gc.collect()  # of others in this process
    before = open_descriptors()
    with pytest.raises(ChannelError, match="does not read"):
        send_for_ever(one)
    one.close()
    assert open_descriptors() == before - 1


@pytest.mark.parametrize("sent", [b"\1", b"\1[]", b"\1{", b"\1" + b"[" * 5000, b"\1\xff", b"?{}"])
def test_what_is_no_message_is_refused(sent: bytes) -> None:
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    receiving = Channel(its)
    mine.send(sent)
    mine.close()
    with pytest.raises(ChannelError):
        receiving.receive()
    receiving.close()


def test_a_message_has_a_greatest_length(ends: tuple[Channel, Channel], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = ends
    monkeypatch.setattr(module, "MESSAGE_BYTES", 1000)
    one.send({"text": "x" * 1000})
    with pytest.raises(ChannelError, match="too long"):
        other.receive()


def test_a_packet_that_is_longer_than_any_part_is_refused() -> None:
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    receiving = Channel(its)
    mine.send(b"\1" + b"x" * (PART_BYTES + 1))
    with pytest.raises(ChannelError, match="cut off"):
        receiving.receive()
    mine.close()
    receiving.close()


def test_descriptors_nobody_took_are_closed_with_the_channel(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    gc.collect()  # of others in this process
    before = open_descriptors()
    socket.send_fds(one.sock, [b"\0{"], [one.sock.fileno()])
    assert other.receive() is None
    assert open_descriptors() == before + 1
    other.close()
    assert open_descriptors() == before - 1
