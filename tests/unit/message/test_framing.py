"""Messages out of a stream (resolver.message.framing), on any segmentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.message.framing import Frames, frame

MESSAGES = st.lists(st.binary(max_size=40) | st.just(b"") | st.binary(min_size=300, max_size=600), max_size=8)


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1), st.integers(12, 400))
def test_any_segmentation_gives_the_same_messages_cut_to_the_bound(
    messages: list[bytes], steps: list[int], keep_bytes: int
) -> None:
    stream = b"".join(map(frame, messages))
    frames, got, offset, turn = Frames(keep_bytes), [], 0, 0
    while offset < len(stream):
        step = steps[turn % len(steps)]
        got += frames.feed(stream[offset : offset + step])
        offset, turn = offset + step, turn + 1
    assert got == [message[:keep_bytes] for message in messages]
    assert not frames.partial


def test_message_of_the_largest_size_comes_through_whole() -> None:
    message = bytes(range(256)) * 255 + bytes(255)
    frames = Frames()
    assert frames.feed(frame(message)[:-1]) == []
    assert frames.partial
    assert frames.feed(frame(message)[-1:]) == [message]


def test_too_long_message_is_handed_out_cut_and_its_rest_is_not_kept() -> None:
    frames = Frames(keep_bytes=4)
    assert frames.feed(b"\xff\xff" + bytes(60_000)) == [bytes(4)]
    assert frames.partial
    assert frames.feed(bytes(5535) + frame(b"next")) == [b"next"]
    assert not frames.partial


def test_single_bytes_make_the_longest_message() -> None:
    message = bytes(range(256)) * 256
    stream = frame(message[:65535])
    reader = Frames()
    read = [done for byte in stream for done in reader.feed(bytes((byte,)))]
    assert read == [message[:65535]]


@given(st.binary(max_size=400))
def test_no_more_than_one_unfinished_frame_is_held(stream: bytes) -> None:
    reader = Frames()
    read = reader.feed(stream)
    assert sum(len(message) + 2 for message in read) + reader.held_bytes == len(stream)
    assert reader.held_bytes < 65535 + 2


def test_what_follows_a_completed_frame_is_kept_for_the_next() -> None:
    reader = Frames()
    stream = frame(b"first") + frame(b"second") + frame(b"third")
    assert reader.feed(stream[:3]) == []
    assert reader.feed(stream[3:17]) == [b"first", b"second"]
    assert reader.feed(stream[17:]) == [b"third"]


def test_a_message_that_no_frame_can_hold_is_refused() -> None:
    with pytest.raises(OverflowError):
        frame(bytes(65536))
