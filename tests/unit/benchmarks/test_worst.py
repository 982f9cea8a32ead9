"""What the page says a packet costs, held against the bound, and against the packets that are measured."""

import re
from pathlib import Path

from benchmarks import hostile, hostile_texts
from benchmarks.costs import MOST, Cost, by_kibibyte, table
from benchmarks.worst import TABLE
from resolver.message.answer import read_answer
from resolver.message.query import MOST_ADDITIONALS, MOST_OPTIONS, BadPacket, read_query
from tests.cases.recorded import asked_of

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"\| ([^|]+) \| ([^|]+) \| [\d,]+ \| [\d,]+ (?:µs|ms) \| ([\d.]+)(?: \(by the KiB\))? \|")


def test_the_page_has_every_packet_and_none_costs_more_than_ten_normal_ones() -> None:
    _, _, rest = (ROOT / TABLE.page).read_text().partition(TABLE.begin)
    rows = ROW.findall(rest.partition(TABLE.end)[0])
    assert rows
    assert all(float(times) <= MOST for _, _, times in rows)
    shown: dict[str, set[str]] = {}
    for door, what, _ in rows:
        shown.setdefault(door, set()).add(what)
    assert {each for each in shown["client, UDP"] if "normal" not in each} == set(hostile.queries(tcp=False))
    assert {each for each in shown["server"] if "normal" not in each} == set(hostile.answers())
    assert {each for each in shown["admin"] if "normal" not in each} == set(hostile_texts.REQUESTS)
    assert {each for each in shown["webhook"] if "normal" not in each} == set(hostile_texts.REVIEWS)


def test_hostile_packets_get_as_far_as_their_names_say() -> None:
    """One that is refused at its first octet would show nothing of what the others behind it cost."""
    read = [what for what, packet in hostile.queries(tcp=True).items() if _is_read(packet)]
    assert {"a name of 126 labels", "as many options as are read", "as many records as are read"} <= set(read)
    most = hostile.queries(tcp=True)
    assert most["as many options as are read"].count(b"\0\x0a\0\0") == MOST_OPTIONS - 1
    assert int.from_bytes(most["as many records as are read"][10:12], "big") == MOST_ADDITIONALS
    for room in (4096, 65_535):
        for packet in hostile.answers(room).values():
            assert room * 0.85 < len(packet) <= room
            assert asked_of(packet) == hostile.QUESTION
        for what in ("as many addresses as there is room for", "owners at the end of a chain of 30 pointers"):
            assert read_answer(hostile.answers(room)[what], hostile.QUESTION)


def _is_read(packet: bytes) -> bool:
    try:
        read_query(packet)
    except BadPacket:
        return False
    return True


def test_costs_are_compared_by_the_kib_with_the_normal_one() -> None:
    normal, dear = by_kibibyte("door", ("normal", b"a" * 10), {"dear": b"b" * 20}, sum)
    assert (normal.times, normal.size_bytes, dear.size_bytes) == (1.0, 10, 20)
    assert dear.times == dear.microseconds / 20 / (normal.microseconds / 10)


def test_the_table_is_one_that_the_page_is_read_by() -> None:
    text = table([Cost("a", "b", 1200, 12.4, 1.26, True), Cost("c", "d", 1, 12_400.0, 9.0, False)])
    assert ROW.findall(text) == [("a", "b", "1.3"), ("c", "d", "9.0")]
