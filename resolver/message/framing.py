"""Messages out of a TCP stream: two octets of length, then the message (RFC 1035 section 4.2.2, RFC 7766 section 8).

Segments may end anywhere. What is held is one unfinished message and nothing else; of a message longer than
`keep_bytes` only the beginning is kept and handed out, and the rest is stepped over without being stored.
"""

from resolver.message import codes

LENGTH_BYTES = 2


class Frames:
    """The receiving side of one stream."""

    __slots__ = ("_held", "_keep_bytes", "_skip_bytes")

    def __init__(self, keep_bytes: int = codes.TCP_BYTES) -> None:
        self._held = bytearray()
        self._keep_bytes = keep_bytes
        self._skip_bytes = 0

    @property
    def partial(self) -> bool:
        """Whether a message has begun that has not ended."""
        return bool(self._held) or self._skip_bytes > 0

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Take the next segment of the stream; the messages that it completes, in order (an empty one is `b""`)."""
        held = self._held
        held += data
        messages = []
        offset, end = 0, len(held)
        while True:
            if self._skip_bytes:
                step = min(self._skip_bytes, end - offset)
                offset += step
                self._skip_bytes -= step
            start = offset + LENGTH_BYTES
            if start > end:
                break
            length = held[offset] << 8 | held[offset + 1]
            kept = min(length, self._keep_bytes)
            if start + kept > end:
                break
            offset = start + kept
            self._skip_bytes = length - kept
            messages.append(bytes(held[start:offset]))
        del held[:offset]
        return messages


def frame(message: bytes) -> bytes:
    """`message` (at most 65,535 bytes) as it goes into a stream: length and message in one piece."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message
