import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.upstream.framing import FrameReader, frame


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 200), max_size=20))
def test_messages_survive_any_segmentation(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame, messages))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = FrameReader()
    read = []
    for start, end in itertools.pairwise(edges):
        read += reader.feed(stream[start:end])
    assert read == messages
    assert reader.held_bytes == 0


def test_single_bytes_make_the_longest_message() -> None:
    message = bytes(range(256)) * 256
    stream = frame(message[:65535])
    reader = FrameReader()
    read = [done for byte in stream for done in reader.feed(bytes((byte,)))]
    assert read == [message[:65535]]


@given(st.binary(max_size=400))
def test_no_more_than_one_unfinished_frame_is_held(stream: bytes) -> None:
    reader = FrameReader()
    read = reader.feed(stream)
    assert sum(len(message) + 2 for message in read) + reader.held_bytes == len(stream)
    assert reader.held_bytes < 65535 + 2


def test_what_follows_a_completed_frame_is_kept_for_the_next() -> None:
    reader = FrameReader()
    stream = frame(b"first") + frame(b"second") + frame(b"third")
    assert reader.feed(stream[:3]) == []
    assert reader.feed(stream[3:17]) == [b"first", b"second"]
    assert reader.feed(stream[17:]) == [b"third"]


def test_a_message_that_no_frame_can_hold_is_refused() -> None:
    with pytest.raises(OverflowError):
        frame(bytes(65536))
