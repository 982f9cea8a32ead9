"""The queue for each client: turns, and whose packets go when there are too many."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.listen import backlog as module
from resolver.listen.backlog import Backlog
from resolver.listen.sockets import UDP_RECEIVE_BYTES


def popped(backlog: Backlog) -> list[bytes]:
    found = []
    while (packet := backlog.pop()) is not None:
        found.append(packet[0])
    return found


def filled(*packets: str) -> Backlog:
    """Packets like a1, of client a."""
    backlog = Backlog()
    for packet in packets:
        backlog.put(packet.encode(), (packet[0],))
    return backlog


def test_clients_take_turns_and_each_ones_packets_keep_their_order() -> None:
    assert popped(filled("a1", "a2", "a3", "b1", "c1", "c2")) == [b"a1", b"b1", b"c1", b"a2", b"c2", b"a3"]


def test_who_comes_late_waits_for_one_round_only() -> None:
    backlog = filled(*(f"a{number}" for number in range(100)), *(f"b{number}" for number in range(100)))
    backlog.pop()
    backlog.put(b"quiet", ("c",))
    assert popped(backlog)[:3].index(b"quiet") < 3


def test_what_is_too_much_is_taken_from_whoever_has_most_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 6)
    backlog = filled("a1", "a2", "a3", "a4", "a5", "a6", "b1", "b2")
    backlog.trim()
    assert backlog.dropped_total == 2
    assert popped(backlog) == [b"a3", b"b1", b"a4", b"b2", b"a5", b"a6"]


def test_a_client_whose_packets_all_went_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 0)
    backlog = filled("a1", "b1")
    backlog.trim()
    assert (len(backlog), backlog.pop(), backlog.dropped_total) == (0, None, 2)
    backlog.put(b"a2", ("a",))
    assert popped(backlog) == [b"a2"]


def test_all_that_the_kernel_holds_for_a_process_without_a_turn_finds_room() -> None:
    as_the_kernel_counts = 768  # for a packet with a query of usual size: its own bytes, and two structures
    assert module.LIMIT * as_the_kernel_counts > 2 * UDP_RECEIVE_BYTES, "the kernel doubles what is asked for"


@given(st.lists(st.one_of(st.sampled_from("abcdef"), st.just(None)), max_size=200), st.integers(1, 20))
def test_every_packet_is_handed_out_once_or_dropped_and_no_more_than_the_limit_wait(
    steps: list[str | None], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LIMIT", limit)
        backlog, came, went = Backlog(), Counter[bytes](), Counter[bytes]()
        for number, client in enumerate(steps):
            if client is None:
                packet = backlog.pop()
                went.update([packet[0]] if packet else [])
            else:
                packet_bytes = f"{client}{number}".encode()
                backlog.put(packet_bytes, (client,))
                came[packet_bytes] += 1
                backlog.trim()
            assert len(backlog) <= limit
            assert came.total() == went.total() + backlog.dropped_total + len(backlog)
        went.update(popped(backlog))
        assert went <= came
        assert came.total() == went.total() + backlog.dropped_total
