"""One question as one of many clients would write it, and whether what came back answers it.

Replies are read with dnslib, which the resolver does not use, so that a mistake in reading is not made twice.
"""

import random
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from tests.soak.truth import Question

MAX_TTL: Final = 30
PLAIN_ROOM: Final = 512
MOST_ROOM: Final = 1232
"""The most that the resolver sends over UDP, whatever a client says it takes."""
_NAME_AT: Final = 12


class Verdict(Enum):
    """Of one reply."""

    RIGHT = "right"
    TRUNCATED = "truncated"
    FAILED = "failed"
    """SERVFAIL: true where the server is away."""
    WRONG = "wrong"


@dataclass(slots=True)
class Asked:
    """A question on its way. `at`: monotonic seconds; `room`: bytes of a reply over UDP, 0 over TCP."""

    question: Question
    packet: bytes
    room: int
    at: float = 0.0
    tries: int = 1


def write(question: Question, number: int, choice: random.Random, *, tcp: bool) -> Asked:
    """Spelt in one of many ways: letters, EDNS or not, its size, DO, CD, a cookie."""
    name = (
        "".join(choice.choice((letter.lower(), letter.upper())) for letter in question.name)
        if choice.random() < 0.2
        else question.name
    )
    flags = 0x0100 | (0x0010 if choice.random() < 0.05 else 0)
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.rstrip(".").split("."))
    asked = labels + b"\0" + struct.pack("!HH", getattr(QTYPE, question.type), 1)
    room, option = PLAIN_ROOM, b""
    if choice.random() < 0.6:
        size = choice.choice((512, 1232, 1232, 1400, 4096, 65535))
        cookie = struct.pack("!HH8s", 10, 8, choice.randbytes(8)) if choice.random() < 0.3 else b""
        option = struct.pack("!BHHIH", 0, 41, size, 0x8000 if choice.random() < 0.1 else 0, len(cookie)) + cookie
        room = min(max(size, PLAIN_ROOM), MOST_ROOM)
    head = struct.pack("!HHHHHH", number, flags, 1, 0, 0, 1 if option else 0)
    return Asked(question, head + asked + option, 0 if tcp else room)


def judge(asked: Asked, reply: bytes) -> tuple[Verdict, str]:
    """What the reply is worth, and why where it is wrong."""
    problem = _mistake(asked, reply)
    if problem:
        return Verdict.WRONG, f"{asked.question.name} {asked.question.type}: {problem}"
    flags = reply[2] << 8 | reply[3]
    if flags & 0x000F == RCODE.SERVFAIL:
        return Verdict.FAILED, ""
    return (Verdict.TRUNCATED if flags & 0x0200 else Verdict.RIGHT), ""


def _mistake(asked: Asked, reply: bytes) -> str:
    """Empty where there is none."""
    try:
        read = DNSRecord.parse(reply)
    except DNSError as error:
        return f"cannot be read: {error}"
    end = _NAME_AT + len(asked.question.name) + 1 + 4
    if reply[:2] != asked.packet[:2] or reply[_NAME_AT:end] != asked.packet[_NAME_AT:end]:
        return "another ID or question, or another spelling"
    if not read.header.qr or read.header.opcode or not read.header.ra:
        return f"header {reply[2:4].hex()}"
    if asked.room and len(reply) > asked.room:
        return f"{len(reply)} bytes for room of {asked.room}"
    if read.header.rcode == RCODE.SERVFAIL:
        return "records beside a failure" if read.rr else ""
    if read.header.tc:
        return "" if asked.room and asked.question.kind == "big" and not read.rr else "truncated, or in part"
    if read.header.rcode != asked.question.rcode:
        return f"rcode {RCODE[read.header.rcode]}"
    found = [str(record.rdata) for record in read.rr]
    if sorted(found) != sorted(asked.question.found):
        return f"records {found}"
    if any(record.ttl > MAX_TTL for record in read.rr):
        return f"TTL of {max(record.ttl for record in read.rr)} s"
    return ""
