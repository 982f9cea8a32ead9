"""DNS messages on a byte stream: two bytes of length before each message (RFC 1035 section 4.2.2, RFC 7766 section 8).

Bytes go in as they come off the wire, however they were segmented; whole messages come out. What usually arrives is one
or more whole frames, which are cut out of the received bytes directly; only a frame that is still incomplete is kept.
Of a message longer than `keep_bytes` only the beginning is kept and handed out; the rest is stepped over unstored.
"""

from resolver.message import codes

LENGTH_BYTES = 2


def frame(message: bytes) -> bytes:
    """`message` with its length in front; OverflowError for one of more than 65,535 bytes."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


class Frames:
    """The receiving side of one stream. An empty frame gives an empty message."""

    __slots__ = ("_held", "_keep_bytes", "_skip_bytes")

    def __init__(self, keep_bytes: int = codes.TCP_BYTES) -> None:
        self._held = bytearray()
        self._keep_bytes = keep_bytes
        self._skip_bytes = 0

    @property
    def partial(self) -> bool:
        """Whether a message has begun that has not ended."""
        return bool(self._held) or self._skip_bytes > 0

    @property
    def held_bytes(self) -> int:
        """How much of an incomplete frame is waiting for its other part."""
        return len(self._held)

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """Take the next segment of the stream; the messages that it completes, in order."""
        if self._skip_bytes:
            skipped = min(self._skip_bytes, len(data))
            self._skip_bytes -= skipped
            data = data[skipped:]
            if not data:
                return []
        held = self._held
        if held:
            # A bytearray grows in amortised constant time: a peer that sends single bytes costs no more than its bytes.
            held += data
            if len(held) < LENGTH_BYTES or len(held) - LENGTH_BYTES < min(held[0] << 8 | held[1], self._keep_bytes):
                return []
            data = bytes(held)
            self._held = bytearray()
        return self._split(data if isinstance(data, bytes) else bytes(data))

    def _split(self, data: bytes) -> list[bytes]:
        messages = []
        start, size = LENGTH_BYTES, len(data)
        while start <= size:
            length = data[start - 2] << 8 | data[start - 1]
            kept = min(length, self._keep_bytes)
            if start + kept > size:
                break
            messages.append(data[start : start + kept])
            start += length + LENGTH_BYTES
        if start - LENGTH_BYTES < size:
            self._held += data[start - LENGTH_BYTES :]
        else:
            self._skip_bytes = start - LENGTH_BYTES - size
        return messages
