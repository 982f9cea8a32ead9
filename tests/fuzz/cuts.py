"""A stream in pieces: the first octets of an input say where it is cut, the rest is the stream."""

from collections.abc import Iterator

_CUTS = 4


def pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """(the stream, the same in pieces)."""
    cuts, stream = data[:_CUTS], data[_CUTS:]
    return stream, list(_pieces(cuts, stream))


def _pieces(cuts: bytes, stream: bytes) -> Iterator[bytes]:
    if not any(cuts):  # octet by octet
        yield from (stream[at : at + 1] for at in range(len(stream)))
        return
    at = number = 0
    while at < len(stream):
        size = cuts[number % len(cuts)] or 1
        yield stream[at : at + size]
        at, number = at + size, number + 1


def unframed(stream: bytes) -> list[bytes]:
    """The messages of a stream of whole frames."""
    messages = []
    while stream:
        end = 2 + int.from_bytes(stream[:2], "big")
        assert len(stream) >= end, "half a frame"
        messages.append(stream[2:end])
        stream = stream[end:]
    return messages
