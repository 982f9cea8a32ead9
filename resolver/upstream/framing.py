"""DNS messages on a byte stream: two bytes of length before each message (RFC 1035 section 4.2.2, RFC 7766 section 8).

Bytes go in as they come off the wire, whole messages come out. What usually arrives is one or more whole frames, which
are cut out of the received bytes directly; only a frame that is still incomplete is kept, so a reader never holds more
than one frame (64 KiB and its length) between two calls.
"""

MAX_MESSAGE_BYTES = 0xFFFF
LENGTH_BYTES = 2


def frame(message: bytes) -> bytes:
    """`message` with its length in front; OverflowError for one of more than 65,535 bytes."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


class FrameReader:
    """Cuts a byte stream into messages, however it was segmented. An empty frame gives an empty message."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held_bytes(self) -> int:
        """How much of an incomplete frame is waiting for its other part; 0 between two messages."""
        return len(self._held)

    def feed(self, received: bytes) -> list[bytes]:
        """The messages that `received` completes, in their order."""
        held = self._held
        if held:
            # A bytearray grows in amortised constant time: a peer that sends single bytes costs no more than its bytes.
            held += received
            if len(held) < LENGTH_BYTES or len(held) < (held[0] << 8 | held[1]) + LENGTH_BYTES:
                return []
            received = bytes(held)
            self._held = bytearray()
        size = len(received)
        # One whole frame: what a read brings when questions come one at a time.
        if size >= LENGTH_BYTES and size == (received[0] << 8 | received[1]) + LENGTH_BYTES:
            return [received[LENGTH_BYTES:]]
        return self._split(received)

    def _split(self, received: bytes) -> list[bytes]:
        messages = []
        start, size = LENGTH_BYTES, len(received)
        while start <= size:
            end = start + (received[start - 2] << 8 | received[start - 1])
            if end > size:
                break
            messages.append(received[start:end])
            start = end + LENGTH_BYTES
        if start - LENGTH_BYTES < size:
            self._held += received[start - LENGTH_BYTES :]
        return messages
