"""Who asks what: the busiest are found, nothing is lost in the sum, no counter falls, and nothing grows."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from resolver.message import names
from resolver.survey.seats import Seats
from resolver.survey.sketch import Sketch
from resolver.survey.survey import MOST_ASKED, MOST_PODS, WINDOW_SECONDS, Asked, Owner, Survey
from tests.unit.builders import addresses, answer_packet

WEB = Owner("web-1", "shop", "Deployment/web")
_ADDED = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 64)), max_size=300)


@given(_ADDED, st.integers(1, 12))
def test_whatever_is_added_the_table_is_bounded_and_the_sum_is_right(added: list[tuple[int, int]], most: int) -> None:
    sketch: Sketch[int] = Sketch(most)
    truth: Counter[int] = Counter()
    for key, weight in added:
        sketch.add(key, weight)
        truth[key] += weight
    rows = dict(sketch)
    assert len(sketch) <= most
    assert sum(row.sure for row in rows.values()) + sketch.others == truth.total()
    assert all(row.sure <= truth[key] <= row.count for key, row in rows.items())
    assert all(key in rows for key, count in truth.items() if count > truth.total() / most)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), max_size=120), st.integers(1, 4))
def test_no_counter_with_a_seat_falls_nor_does_that_of_all_others(added: list[tuple[int, int]], most: int) -> None:
    sketch: Sketch[int] = Sketch(64)
    seats = Seats(sketch, most)
    total = others = 0
    before: dict[int, int] = {}
    for number, (key, weight) in enumerate(added):
        sketch.add(key, weight)
        total += weight
        if not number % 7:
            seats.choose()
            sketch.turn()
        counts = dict(seats.counts())
        assert len(counts) <= most
        assert all(count >= before[key] for key, count in counts.items() if key in before)
        assert total - sum(counts.values()) >= others
        others, before = total - sum(counts.values()), counts


def test_a_seat_goes_to_who_is_twice_as_busy() -> None:
    sketch: Sketch[str] = Sketch(8)
    seats = Seats(sketch, 1)
    sketch.add("a", 10)
    seats.choose()
    sketch.add("b", 19)
    seats.choose()
    assert set(seats.counts()) == {"a"}
    sketch.add("b", 2)
    seats.choose()
    assert set(seats.counts()) == {"b"}


def test_a_reply_counts_for_its_pod_its_name_and_its_end() -> None:
    survey = Survey(0.0)
    survey.owners = {"10.1.0.7": WEB}
    survey.saw("10.1.0.7", answer_packet("Web.Shop.", answers=addresses(1, "Web.Shop.")), 3)
    survey.saw("10.1.0.7", answer_packet("none.shop.", rcode="NXDOMAIN"), 2)
    survey.saw("10.1.0.8", answer_packet("web.shop.", "AAAA"), 1)
    survey.saw("10.1.0.8", answer_packet("web.shop.", rcode="SERVFAIL"), 1)
    web, none = names.to_wire("web.shop"), names.to_wire("none.shop")
    assert {key: row.count for key, row in survey.pods} == {WEB: 5, Owner("10.1.0.8"): 2}
    assert {key: row.count for key, row in survey.namespaces} == {"shop": 5, "": 2}
    assert {key: row.count for key, row in survey.names} == {web: 5, none: 2}
    assert {key: row.count for key, row in survey.missing} == {none: 2}
    assert {key: row.count for key, row in survey.asked} == {
        Asked("shop", "Deployment/web", False, web, "answered"): 3,
        Asked("shop", "Deployment/web", False, none, "missing"): 2,
        Asked("", "10.1.0.8", False, web, "empty"): 1,
        Asked("", "10.1.0.8", False, web, "failed"): 1,
    }
    assert (survey.total, survey.samples) == (7, 4)


@given(st.binary(max_size=80))
def test_whatever_bytes_are_sent_nothing_is_raised(reply: bytes) -> None:
    survey = Survey(0.0)
    survey.saw("10.1.0.7", reply, 1)
    assert survey.total <= 1


def test_many_clients_and_names_take_no_more_room_than_the_tables() -> None:
    survey = Survey(0.0)
    reply = bytearray(answer_packet("aaaaaa.shop.", rcode="NXDOMAIN"))
    for number in range(3 * MOST_ASKED):
        reply[13:19] = f"{number:06d}".encode()
        survey.saw(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", bytes(reply), 1)
    assert (len(survey.pods), len(survey.asked)) == (MOST_PODS, MOST_ASKED)
    assert sum(row.sure for _, row in survey.pods) + survey.pods.others == 3 * MOST_ASKED


def test_a_rate_is_of_the_last_moments() -> None:
    survey = Survey(0.0)
    reply = answer_packet("web.shop.", answers=addresses(1))
    survey.saw("10.1.0.7", reply, 100)
    survey.tick(WINDOW_SECONDS)
    row = survey.pods.get(Owner("10.1.0.7"))
    assert row is not None
    assert survey.rate(row, WINDOW_SECONDS) == 10
    survey.tick(2 * WINDOW_SECONDS)
    assert survey.rate(row, 2 * WINDOW_SECONDS) == 0
    survey.tick(2 * WINDOW_SECONDS + 1)
    assert row.count == 100
