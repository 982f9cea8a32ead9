"""Packets as they stood on the wire: what programs ask (tests/cases/packets/queries.txt) and what servers answer.

They were written down from the programs themselves: glibc, musl, Go, c-ares, dig, dnsperf; CoreDNS and Unbound. What is
thrown at the doors begins with these, because a packet that is nearly right gets further than one that never was.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FOLDER = Path(__file__).with_name("packets")


def _read(file: str) -> dict[str, bytes]:
    lines = (line for line in (_FOLDER / file).read_text().splitlines() if not line.startswith("#"))
    return {name: bytes.fromhex(digits) for name, _, digits in (line.rpartition(": ") for line in lines)}


QUERIES: Final = _read("queries.txt")
ANSWERS: Final = _read("answers.txt")


def question_of(packet: bytes) -> bytes:
    """The one question of a whole packet in wire form, spelled as it is; empty where there is none."""
    at = 12
    while packet[4:6] == b"\0\1" and packet[at]:
        at += packet[at] + 1
    return packet[12 : at + 5] if packet[4:6] == b"\0\1" else b""


def asked_of(packet: bytes) -> bytes:
    """The question as the resolver asks it: its name in lower case."""
    question = question_of(packet)
    return question[:-4].lower() + question[-4:]


def truncations(packet: bytes) -> Iterator[bytes]:
    """Every beginning of it that is not the whole."""
    return (packet[:end] for end in range(len(packet)))


def flips(packet: bytes, first: int = 0, step: int = 1) -> Iterator[bytes]:
    """The packet with one bit changed, for every `step`-th bit behind octet `first`."""
    for place in range(8 * first, 8 * len(packet), step):
        changed = bytearray(packet)
        changed[place // 8] ^= 0x80 >> place % 8
        yield bytes(changed)


def _renamed(packet: bytes, number: int) -> bytes | None:
    """A server's answer to another name of the same length; None where the first label is too short for that."""
    if packet[4:6] != b"\0\1" or packet[12] < 3:
        return None
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    label = "".join(letters[number // 36**place % 36] for place in range(3)).encode()
    return packet[:13] + label + packet[16:]


def damaged_answers() -> Iterator[tuple[bytes, bytes]]:
    """(question, the answer to it, damaged behind it): each to another name, always the same."""
    chance = random.Random(7)
    number = 0
    for packet in ANSWERS.values():
        question_bytes = len(question_of(packet))
        for _ in range(14):
            number += 1
            whole = _renamed(packet, number)
            if whole is None or len(whole) == 12 + question_bytes:
                continue
            if chance.random() < 0.4:
                yield question_of(whole), whole[: chance.randrange(12 + question_bytes, len(whole))]
            else:
                place = chance.randrange(12 + question_bytes, len(whole))
                octet = bytes((whole[place] ^ 1 << chance.randrange(8),))
                yield question_of(whole), whole[:place] + octet + whole[place + 1 :]
