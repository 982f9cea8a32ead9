"""Domain names between their wire form and the form people write (RFC 1035 sections 3.1 and 5.1)."""

from collections.abc import Iterator
from itertools import islice

from resolver.message.query import MAX_NAME_BYTES

_DIGITS = frozenset("0123456789")


def to_wire(text: str) -> bytes:
    r"""`web.shop.` (with or without the last dot) in lower-case wire form; raises ValueError for what is no name.

    Understands the escapes `\.` and `\065` of RFC 1035 section 5.1.
    """
    labels: list[bytearray] = [bytearray()]
    characters = iter(text)
    for character in characters:
        if character == ".":
            labels.append(bytearray())
        elif character == "\\":
            labels[-1].append(_escaped(next(characters, ""), characters))
        else:
            labels[-1] += character.encode("ascii", "strict")
    if not labels[-1]:
        labels.pop()  # after the last dot, or an empty text: the root
    if text == ".":
        return b"\0"
    if any(not 1 <= len(label) <= 63 for label in labels):
        raise ValueError(f"{text!r}: a label has 1 to 63 octets")
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(wire) > MAX_NAME_BYTES:
        raise ValueError(f"{text!r}: a name has at most {MAX_NAME_BYTES} octets")
    return wire.lower()


def _escaped(first: str, rest: Iterator[str]) -> int:
    if first in _DIGITS:
        digits = [first, *islice(rest, 2)]
        if len(digits) == 3 and _DIGITS.issuperset(digits) and int("".join(digits)) <= 255:
            return int("".join(digits))
    elif len(first) == 1 and ord(first) < 128:
        return ord(first)
    raise ValueError("a backslash stands before a character or three digits up to 255")


def to_text(wire: bytes) -> str:
    """The wire form (no compression) as people write it, with the last dot; odd bytes as RFC 1035 escapes."""
    labels = []
    offset = 0
    while length := wire[offset]:
        labels.append("".join(_shown(octet) for octet in wire[offset + 1 : offset + 1 + length]))
        offset += length + 1
    return ".".join(labels) + "."


def _shown(octet: int) -> str:
    character = chr(octet)
    if character in '.\\"();@$':
        return "\\" + character
    return character if 0x21 <= octet <= 0x7E else f"\\{octet:03d}"


def suffixes(name: bytes) -> list[bytes]:
    """The name and every parent of it down to the root, in wire form."""
    found = [name]
    offset = 0
    while length := name[offset]:
        offset += length + 1
        found.append(name[offset:])
    return found
