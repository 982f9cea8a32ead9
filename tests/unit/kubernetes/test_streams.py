"""Lists and watches of the API server, taken apart while they arrive."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.kubernetes import streams
from resolver.kubernetes.streams import Lines, Listing, Unreadable

ITEMS: list[dict[str, Any]] = [{"metadata": {"name": f"web-{n}"}, "text": 'é"]},{', "n": n} for n in range(5)]
PAGE = {
    "kind": "ServiceList",
    "apiVersion": "v1",
    "metadata": {"resourceVersion": "4711", "continue": "next"},
    "items": ITEMS,
}


def read(data: bytes, cuts: list[int]) -> tuple[list[dict[str, Any]], Listing]:
    listing = Listing()
    items = []
    at = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        items += list(listing.feed(data[at:cut]))
        at = cut
    items += list(listing.end())
    return items, listing


@given(st.lists(st.integers(min_value=0), max_size=20), st.booleans())
def test_a_list_gives_its_items_however_it_is_cut(cuts: list[int], ascii_only: bool) -> None:
    items, listing = read(json.dumps(PAGE, ensure_ascii=ascii_only).encode(), cuts)
    assert items == ITEMS
    assert (listing.version, listing.more) == ("4711", "next")


@pytest.mark.parametrize("order", [["items", "metadata"], ["metadata", "items"]])
@pytest.mark.parametrize("items", [[], ITEMS, None])
def test_fields_may_come_in_any_order_and_there_may_be_no_items(order: list[str], items: object) -> None:
    page = {"metadata": {"resourceVersion": "9"}, "items": items, "n": 12}
    text = json.dumps({name: page[name] for name in [*order, "n"]}, indent=2)
    found, listing = read(text.encode(), [7, 50])
    assert found == (items or [])
    assert (listing.version, listing.more) == ("9", "")


def test_an_item_is_given_as_soon_as_it_is_here() -> None:
    text = json.dumps(PAGE).encode()
    listing = Listing()
    assert list(listing.feed(text[: text.index(b"web-3")])) == ITEMS[:3]


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"nothing", b'{"items": [', b'{"items": [1]}', b'{"items": [{"a": 1}', b'{"metadata": {'],
)
def test_what_is_no_list_is_said_to_be(text: bytes) -> None:
    with pytest.raises(Unreadable):
        read(text, [])


@given(st.binary(max_size=200))
def test_anything_else_is_unreadable_or_a_list(data: bytes) -> None:
    try:
        items, _ = read(data, [])
    except (Unreadable, UnicodeDecodeError):
        return
    assert all(isinstance(item, dict) for item in items)


def test_an_item_that_never_ends_costs_a_bounded_amount_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST", 1000)
    with pytest.raises(Unreadable):
        read(b'{"items": ["' + b"x" * 10_000, list(range(0, 10_000, 100)))
    with pytest.raises(Unreadable):
        list(Lines().feed(b"x" * 1001))


@given(st.lists(st.integers(min_value=0), max_size=10))
def test_a_watch_gives_its_events_however_it_is_cut(cuts: list[int]) -> None:
    text = b"\n".join(json.dumps(item).encode() for item in ITEMS) + b"\n\n"
    lines, found, at = Lines(), [], 0
    for cut in [*sorted(cut % (len(text) + 1) for cut in cuts), len(text)]:
        found += list(lines.feed(text[at:cut]))
        at = cut
    assert found == ITEMS


@pytest.mark.parametrize("line", [b"nothing\n", b"[1]\n", b"[" * 100_000 + b"\n"])
def test_an_event_that_is_no_object_is_unreadable(line: bytes) -> None:
    with pytest.raises(Unreadable):
        list(Lines().feed(line))
