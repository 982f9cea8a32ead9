"""Answers on their way to a successor: the same on the other side, and nothing that is no answer gets in."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.cache import snapshot
from resolver.cache.entry import Entry
from resolver.cache.snapshot import MARK, UP_TO_DATE, Reader, Remembered
from resolver.cache.store import Store
from resolver.config import Upstream, Zone
from resolver.message import codes
from resolver.message.answer import read_answer

ZONE = Zone((".",), (Upstream("192.0.2.1"),), max_ttl=3600, max_nttl=3600)
NAME = b"\3www\7example\0"
SOA = b"\xc0\x0c\0\6\0\1\0\0\1\x2c\0\x16\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\1\x2c"


def entry(qtype: int, counts: tuple[int, int, int], records: bytes, rcode: int = 0, bits: int = 0) -> Entry:
    question = NAME + qtype.to_bytes(2, "big") + b"\0\1"
    flags = codes.QR | codes.AD | rcode
    header = b"\0\0" + b"".join(number.to_bytes(2, "big") for number in (flags, 1, *counts))
    answer = read_answer(header + question + records, question, dnssec_ok=bool(bits & 1))
    stored = Store(1 << 20).put(question + bytes((bits,)), answer, ZONE, ".", "192.0.2.1:53", 100.0)
    assert stored is not None
    stored.asks = 7
    return stored


ENTRIES = [
    entry(codes.A, (2, 0, 0), b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0" + bytes((n,)) for n in (1, 2))),
    entry(codes.SRV, (1, 0, 1), b"\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\7\0\1\0\1\0\x35\0\0\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"),
    entry(codes.A, (0, 1, 0), SOA, bits=1),
    entry(codes.AAAA, (0, 1, 0), SOA, rcode=codes.NXDOMAIN, bits=2),
]


def read(data: bytes, piece: int = 1 << 20, now: float = 130.5) -> tuple[list[Remembered], bool]:
    reader = Reader()
    found = [each for at in range(0, len(data), piece) for each in reader.feed(data[at : at + piece], now)]
    return found, reader.failed


@pytest.mark.parametrize("piece", [1, 7, 100, 1 << 20])
def test_what_was_remembered_is_the_same_on_the_other_side_in_pieces_of_any_size(piece: int) -> None:
    data = MARK + b"".join(map(snapshot.write, ENTRIES))
    found, failed = read(data, piece)
    assert not failed
    assert found == [Remembered(each.key, each.answer, "192.0.2.1:53", 7, 100.0) for each in ENTRIES]


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_the_end_of_what_was_remembered_is_known_and_what_is_learnt_later_is_read_as_well(piece: int) -> None:
    reader = Reader()
    parts = [MARK + snapshot.write(ENTRIES[0]), UP_TO_DATE, snapshot.write(ENTRIES[1])]
    seen = []
    for part in parts:
        found = [each for at in range(0, len(part), piece) for each in reader.feed(part[at : at + piece], 130.5)]
        seen.append(([each.key for each in found], reader.up_to_date, reader.failed))
    assert seen == [([ENTRIES[0].key], False, False), ([], True, False), ([ENTRIES[1].key], True, False)]


def test_a_second_end_is_no_record() -> None:
    assert read(MARK + UP_TO_DATE + UP_TO_DATE + snapshot.write(ENTRIES[0])) == ([], True)


def test_another_format_is_not_read() -> None:
    assert read(MARK.replace(b"2", b"1") + snapshot.write(ENTRIES[0])) == ([], True)


def test_what_comes_before_something_that_is_no_record_stays() -> None:
    good = MARK + snapshot.write(ENTRIES[0])
    for bad in (b"\0\0\0\1?", b"\xff\xff\xff\xff", b"\0\0\0\x20" + bytes(32)):
        found, failed = read(good + bad + snapshot.write(ENTRIES[1]))
        assert (len(found), failed) == (1, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.replace(b"www", b"WWW", 1),  # a key in the client's spelling
        lambda record: record.replace(b"\3www\7example\0\0\1\0\1\0", b"\3www\7example\0\0\1\0\3\0", 1),  # another class
        lambda record: record.replace(b"\3www\7example\0\0\1\0\1\0", b"\3www\7example\0\0\1\0\1\4", 1),  # unknown bits
        lambda record: record.replace(b"\3www", b"\4www", 1),  # a label that ends elsewhere
        lambda record: record.replace(b"\3www", b"\xc3www", 1),  # a pointer
        lambda record: record[:-1] + b"",
    ],
)
def test_a_record_with_something_wrong_is_refused(change: Callable[[bytes], bytes]) -> None:
    record = change(snapshot.write(ENTRIES[0])[4:])
    assert read(MARK + len(record).to_bytes(4, "big") + record) == ([], True)


def test_an_age_that_no_answer_has_is_refused() -> None:
    for now in (99.0, 1e9, float("nan"), float("inf")):
        assert read(MARK + snapshot.write(ENTRIES[0]), now=now) == ([], True)


@given(st.binary(), st.integers(0, 400), st.binary(max_size=8))
def test_whatever_comes_is_answers_or_refused(junk: bytes, at: int, patch: bytes) -> None:
    data = MARK + b"".join(map(snapshot.write, ENTRIES)) + UP_TO_DATE + snapshot.write(ENTRIES[0])
    for sent in (junk, MARK + junk, data[:at] + patch + data[at + len(patch) :]):
        found, _ = read(sent)
        assert all(isinstance(each, Remembered) for each in found)
