r"""Records of an answer as people write them (RFC 1035 section 5.1), and the names of types. For people, not for speed.

dnslib knows how the data of each type is written. What it does not know, cannot read or reads only in part is shown in
the form that fits everything, `\# length hex` (RFC 3597 section 5), so nothing an upstream sends raises an exception.
"""

from typing import Final

from dnslib import QTYPE, DNSBuffer
from dnslib.dns import RDMAP

from resolver.message import codes, names
from resolver.message.answer import Answer
from resolver.message.query import HEADER_BYTES, MAX_NAME_BYTES

_CLASS_NAMES: Final = {1: "IN", 3: "CH", 4: "HS"}
_FIRST_NAME = 6  # from a TTL: its data follows the TTL and the length
_TXT = 16
_MOST_HOPS = 255


def type_text(qtype: int) -> str:
    """The name of a record type, or TYPE and its number (RFC 3597 section 5)."""
    name = QTYPE.forward.get(qtype)
    return name if isinstance(name, str) else f"TYPE{qtype}"


def type_number(text: str) -> int:
    """The number of a type named `AAAA`, `TYPE28` or `28`, in any case; raises ValueError for what is none."""
    name = text.upper()
    known = QTYPE.reverse.get(name)
    if isinstance(known, int):
        return known
    digits = name.removeprefix("TYPE")
    if digits.isascii() and digits.isdigit() and int(digits) <= 0xFFFF:
        return int(digits)
    raise ValueError(f"{text!r} is no record type, such as A, AAAA or TYPE65")


def class_text(qclass: int) -> str:
    """The name of a class, or CLASS and its number."""
    return _CLASS_NAMES.get(qclass, f"CLASS{qclass}")


def records_text(question: bytes, answer: Answer, *, cap: int, age: int = 0) -> dict[str, list[str]]:
    """The records of an answer by section (answer, authority, additional), as `owner TTL class type data`.

    `question` is the one it answers, in wire form: names may point into it. TTLs are shown as a reply would carry them
    (`reply.write_reply`): the server's, at most `cap` seconds, less `age` seconds.
    """
    message = bytes(HEADER_BYTES) + question + answer.sections
    base = HEADER_BYTES + len(question)
    shown = []
    owner_at = base
    for offset, ttl in answer.facts.ttls:
        fixed = base + offset - 4
        rtype, rclass = (int.from_bytes(message[at : at + 2], "big") for at in (fixed, fixed + 2))
        data = base + offset + _FIRST_NAME
        length = int.from_bytes(message[data - 2 : data], "big")
        owner = names.to_text(_name(message, owner_at))
        left = max(min(ttl, cap) - age, 0)
        parts = (owner, str(left), class_text(rclass), type_text(rtype), _data_text(message, data, length, rtype))
        shown.append(" ".join(parts))
        owner_at = data + length
    answers, authorities, _ = answer.facts.counts
    return {
        "answer": shown[:answers],
        "authority": shown[answers : answers + authorities],
        "additional": shown[answers + authorities :],
    }


def _name(message: bytes, offset: int) -> bytes:
    """A name without its pointers; what of it can be read, where it leads astray or is longer than a name may be."""
    wire = bytearray()
    for _ in range(_MOST_HOPS):
        length = message[offset] if offset < len(message) else 0
        if length >= 0xC0:
            offset = (length & 0x3F) << 8 | int.from_bytes(message[offset + 1 : offset + 2], "big")
            continue
        label = message[offset : offset + 1 + length]
        if not length or len(label) <= length or len(wire) + len(label) >= MAX_NAME_BYTES:
            break
        wire += label
        offset += len(label)
    return bytes(wire) + b"\0"


def _data_text(message: bytes, offset: int, length: int, rtype: int) -> str:
    data = message[offset : offset + length]
    try:
        if rtype in (codes.NS, codes.CNAME, codes.PTR, codes.DNAME):
            return names.to_text(_name(message, offset))
        if rtype == _TXT:
            return _strings_text(data)
        buffer = DNSBuffer(message)
        buffer.offset = offset
        text = str(RDMAP[type_text(rtype)].parse(buffer, length).toZone())
        if buffer.offset == offset + length and text.isprintable():
            return text
    except Exception:  # noqa: BLE001, S110 - dnslib's parsers raise whatever their code runs into
        pass
    return f"\\# {length} {data.hex()}".rstrip()


def _strings_text(data: bytes) -> str:
    """Character strings (RFC 1035 section 3.3.14), which dnslib shows without escapes; raises ValueError."""
    strings = []
    while data:
        end = 1 + data[0]
        if len(data) < end:
            raise ValueError("a string longer than its record")
        string, data = data[1:end], data[end:]
        strings.append('"' + "".join(map(_shown, string)) + '"')
    if not strings:
        raise ValueError("no string")
    return " ".join(strings)


def _shown(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet <= 0x7E else f"\\{octet:03d}"
