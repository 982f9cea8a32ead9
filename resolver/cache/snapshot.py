"""What is remembered, as bytes for a successor, and back. Pure; `now` is monotonic seconds of the one machine.

An answer travels as the DNS message that it was, and comes in by the door that servers' answers come in by
(`read_answer`): a successor trusts these bytes no more than the network's. What cannot be read ends the reading;
what was read before stays. First comes what was remembered when the successor asked, then UP_TO_DATE, then what is
learnt from then on.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from resolver.cache.entry import Entry
from resolver.message import codes
from resolver.message.answer import Answer, is_answer_to, read_answer
from resolver.message.query import HEADER, MAX_NAME_BYTES, BadPacket

MARK: Final = b"nodelocaldns answers 2\n"
"""The beginning. The number counts formats: another one is not read, and the successor begins with an empty cache."""
RECORD_BYTES: Final = 66 * 1024
"""The longest record: one message with its key."""
_LENGTH = Struct("!I")
UP_TO_DATE: Final = _LENGTH.pack(0)
"""A record of no bytes: what was remembered when the successor asked ends here."""
_HEAD = Struct("!HBHd")  # bytes of the key, bytes of the server's name, uses, when it was stored
_MOST_AGE_SECONDS = 40 * 86400.0
_KEY_TAIL = 5  # type, class, bits


class Remembered(NamedTuple):
    """One answer of a predecessor."""

    key: bytes
    answer: Answer
    server: str
    uses: int
    stored_at: float
    """On the clock of the machine, however long it was on its way: no TTL grows."""


def write(entry: Entry) -> bytes:
    """One record; b"" for what could not be read back."""
    facts = entry.facts
    flags = codes.QR | facts.rcode | (codes.AD if facts.authentic else 0)
    message = HEADER.pack(0, flags, 1, *facts.counts) + entry.key[:-1] + entry.sections
    server = entry.server.encode()[:255]
    head = _HEAD.pack(len(entry.key), len(server), entry.asks, entry.stored_at)
    record = head + entry.key + server + message
    return _LENGTH.pack(len(record)) + record if len(record) <= RECORD_BYTES else b""


class Reader:
    """Takes the bytes as they come, in pieces of any size."""

    def __init__(self) -> None:
        self.failed = False
        """Whether something came that is no record: nothing more is read."""
        self.up_to_date = False
        """Whether all has come that was remembered when the successor asked."""
        self._begun = False
        self._waiting = b""

    def feed(self, data: bytes, now: float) -> Iterator[Remembered]:
        """What these bytes complete."""
        if self.failed:
            return
        data = self._waiting + data
        at = 0
        if not self._begun:
            if len(data) < len(MARK):
                self._waiting = data
                return
            self.failed = not data.startswith(MARK)
            self._begun, at = True, len(MARK)
        while not self.failed and len(data) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if length > RECORD_BYTES:
                self.failed = True
                break
            if len(data) - at - _LENGTH.size < length:
                break
            at += _LENGTH.size
            if not length and not self.up_to_date:
                self.up_to_date = True
                continue
            remembered = _read(data[at : at + length], now)
            at += length
            if remembered is None:
                self.failed = True
                break
            yield remembered
        self._waiting = b"" if self.failed else data[at:]


def _read(record: bytes, now: float) -> Remembered | None:
    if len(record) < _HEAD.size:
        return None
    key_bytes, server_bytes, uses, stored_at = _HEAD.unpack_from(record)
    key = record[_HEAD.size : _HEAD.size + key_bytes]
    server = record[_HEAD.size + key_bytes : _HEAD.size + key_bytes + server_bytes]
    message = record[_HEAD.size + key_bytes + server_bytes :]
    if not _is_key(key) or not 0 <= now - stored_at <= _MOST_AGE_SECONDS:
        return None
    question = key[:-1]
    if not is_answer_to(message, question):
        return None
    try:
        answer = read_answer(message, question, dnssec_ok=bool(key[-1] & 1))
    except BadPacket:
        return None
    return Remembered(key, answer, server.decode("ascii", "replace"), uses, stored_at)


def _is_key(key: bytes) -> bool:
    """Whether these bytes are a cache key: a name in wire form and lower case, type, class IN, two bits."""
    name, tail = key[:-_KEY_TAIL], key[-_KEY_TAIL:]
    if not 1 <= len(name) <= MAX_NAME_BYTES or len(tail) < _KEY_TAIL or name != name.lower():
        return False
    if tail[2:4] != codes.CLASS_IN.to_bytes(2, "big") or tail[4] > 3:
        return False
    at = 0
    while at < len(name) and name[at]:
        if name[at] > 63:
            return False
        at += name[at] + 1
    return at == len(name) - 1
