"""Remembered answers: fresh, stale or gone by the clock, and within the bound whatever happens."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from resolver.cache.entry import HUSK, entry_bytes
from resolver.cache.store import Store, is_under
from resolver.config import Zone
from resolver.message import names
from resolver.message.answer import Answer
from tests.unit.builders import SOA, addresses, answer, key

ZONE = Zone(("shop",), (), max_ttl=30, max_nttl=10, serve_stale_seconds=60.0)
ROOMY = 1 << 20
NOW = 1000.0
ONE = answer(answers=addresses(1))
ENTRY_BYTES = entry_bytes(key("n000.shop."), ONE, shares=True)


def put(store: Store, name: str, said: Answer | None = None, now: float = NOW, zone: Zone = ZONE) -> None:
    store.put(key(name), said or ONE, zone, "shop.", "10.0.0.1:53", now)


def state(store: Store, name: str, now: float) -> str:
    entry = store.get(key(name), now)
    return "gone" if entry is None else "fresh" if entry.is_fresh(now) else "stale"


@pytest.mark.parametrize(
    ("ttl", "after", "expected"),
    [
        (5, 0.0, "fresh"),
        (5, 4.999, "fresh"),
        (5, 5.0, "stale"),
        (5, 64.999, "stale"),
        (5, 65.0, "gone"),
        (300, 29.999, "fresh"),
        (300, 30.0, "stale"),
        (300, 90.0, "gone"),
    ],
)
def test_an_answer_is_fresh_then_stale_then_gone(ttl: int, after: float, expected: str) -> None:
    store = Store(ROOMY)
    put(store, "web.shop.", answer(answers=addresses(1, ttl=ttl)))
    assert state(store, "web.shop.", NOW + after) == expected


def test_without_serve_stale_an_expired_answer_is_gone() -> None:
    store = Store(ROOMY)
    put(store, "web.shop.", zone=ZONE._replace(serve_stale_seconds=0.0))
    assert state(store, "web.shop.", NOW + 29.9) == "fresh"
    assert state(store, "web.shop.", NOW + 30.0) == "gone"


def test_age_is_whole_seconds() -> None:
    store = Store(ROOMY)
    put(store, "web.shop.")
    entry = store.peek(key("web.shop."))
    assert entry is not None
    assert [entry.age(NOW + after) for after in (0.0, 0.999, 1.0, 29.9)] == [0, 0, 1, 29]


def test_the_cap_of_negative_answers_is_their_own_lifetime() -> None:
    store = Store(ROOMY)
    entry = store.put(key(), answer(rcode="NXDOMAIN", authority=[SOA]), ZONE, "shop.", "s", NOW)
    assert entry is not None
    assert (entry.ttl, entry.cap) == (10, 10)


def test_an_answer_that_must_not_be_remembered_still_ends_the_older_one() -> None:
    for said in (answer(answers=addresses(1, ttl=0)), answer(rcode="NXDOMAIN")):
        store = Store(ROOMY)
        put(store, "web.shop.")
        put(store, "web.shop.", said, NOW + 40)
        assert state(store, "web.shop.", NOW + 40) == "gone"


def test_an_answer_that_is_too_large_is_not_remembered() -> None:
    store = Store(4000)
    put(store, "small.shop.")
    put(store, "web.shop.", answer(answers=addresses(100)))
    assert state(store, "web.shop.", NOW) == "gone"
    assert state(store, "small.shop.", NOW) == "fresh"


def test_variants_of_a_question_are_remembered_apart() -> None:
    store = Store(ROOMY)
    store.put(key(bits=1), answer(answers=addresses(1)), ZONE, "shop.", "s", NOW)
    assert store.get(key(bits=0), NOW) is None
    assert store.get(key(bits=3), NOW) is None
    assert store.get(key(bits=1), NOW) is not None


@pytest.mark.parametrize(
    ("asks", "after", "due"), [(3, 27.0, True), (3, 26.9, False), (2, 29.0, False), (9, 29.0, True)]
)
def test_only_hot_answers_are_due_shortly_before_they_expire(asks: int, after: float, due: bool) -> None:
    store = Store(ROOMY)
    put(store, "web.shop.")
    for _ in range(asks):
        store.get(key("web.shop."), NOW + 1)
    entry = store.peek(key("web.shop."))
    assert entry is not None
    assert entry.is_due(NOW + after) is due


def test_a_flood_of_names_asked_once_leaves_those_asked_again() -> None:
    store = Store(100 * ENTRY_BYTES)
    for number in range(40):
        put(store, f"h{number:03}.shop.")
        state(store, f"h{number:03}.shop.", NOW)
    for number in range(1000):
        put(store, f"n{number:03}.shop.")
    assert all(state(store, f"h{number:03}.shop.", NOW) == "fresh" for number in range(40))
    assert store.evictions >= 900


def test_a_name_that_comes_back_soon_after_its_eviction_is_kept_longer() -> None:
    store = Store(100 * ENTRY_BYTES)
    for number in range(110):
        put(store, f"n{number:03}.shop.")
    assert state(store, "n000.shop.", NOW) == "gone"
    put(store, "n000.shop.")
    for number in range(200, 400):
        put(store, f"n{number:03}.shop.")
    assert state(store, "n000.shop.", NOW) == "fresh"


def test_names_and_suffixes_are_forgotten_with_all_their_types() -> None:
    store = Store(ROOMY)
    for name in ("web.shop.", "api.web.shop.", "cobweb.shop.", "web.example."):
        put(store, name)
    store.put(key("web.shop.", "AAAA"), answer(answers=addresses(1)), ZONE, "shop.", "s", NOW)
    assert store.remove_name(names.to_wire("web.shop.")) == 2
    assert state(store, "api.web.shop.", NOW) == "fresh"
    assert store.remove_under(names.to_wire("web.shop.")) == 1
    assert store.remove_under(names.to_wire("shop.")) == 1
    assert store.clear() == 1
    assert (len(store), store.bytes) == (0, 0)


@pytest.mark.parametrize(
    ("name", "suffix", "under"),
    [
        ("web.shop.", "shop.", True),
        ("web.shop.", "web.shop.", True),
        ("web.shop.", ".", True),
        ("cobweb.shop.", "web.shop.", False),
        ("shop.", "web.shop.", False),
        (r"x\003web.shop.", "web.shop.", False),  # the octets of a suffix inside a label
    ],
)
def test_a_name_is_under_its_own_suffixes_only(name: str, suffix: str, under: bool) -> None:
    assert is_under(names.to_wire(name), names.to_wire(suffix)) is under


def test_a_smaller_bound_takes_effect_at_once() -> None:
    store = Store(ROOMY)
    for number in range(100):
        put(store, f"n{number}.shop.")
    store.resize(5000)
    assert 0 < store.bytes <= 5000


def test_a_store_without_room_remembers_nothing() -> None:
    store = Store(0)
    put(store, "web.shop.")
    assert len(store) == 0


def test_removed_answers_do_not_hold_memory_for_long() -> None:
    store, large = Store(ROOMY), answer(answers=addresses(60))
    for number in range(500):
        put(store, f"n{number}.shop.", large)
        store.remove(key(f"n{number}.shop."))
        held = sum(abs(entry.size_bytes) for queue in (store._small, store._main) for entry in queue)
        assert held <= ROOMY // 16


SIZES = [answer(answers=addresses(count)) for count in (1, 3, 20, 60)]
NOT_REMEMBERED = [answer(answers=addresses(1, ttl=0)), answer(rcode="NXDOMAIN")]
NAMES = st.integers(0, 60).map(lambda number: f"n{number}.z{number % 3}.shop.")


class AnySequence(RuleBasedStateMachine):
    """Whatever is done to a store in whatever order, its numbers stay what a recount finds, and below the bound."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(20_000)
        self.now = NOW

    @rule(name=NAMES, said=st.sampled_from(SIZES))
    def put(self, name: str, said: Answer) -> None:
        entry = self.store.put(key(name), said, ZONE, "shop.", "s", self.now)
        assert entry is None or entry.is_fresh(self.now)

    @rule(first=st.integers(0, 1000), count=st.integers(1, 80), asked=st.booleans())
    def flood(self, first: int, count: int, asked: bool) -> None:
        for number in range(first, first + count):
            put(self.store, f"f{number}.shop.", now=self.now)
            if asked:
                self.store.get(key(f"f{number}.shop."), self.now)

    @rule(name=NAMES, said=st.sampled_from(NOT_REMEMBERED))
    def put_what_is_not_remembered(self, name: str, said: Answer) -> None:
        assert self.store.put(key(name), said, ZONE, "shop.", "s", self.now) is None
        assert self.store.peek(key(name)) is None

    @rule(name=NAMES, times=st.integers(1, 4))
    def get(self, name: str, times: int) -> None:
        for _ in range(times):
            entry = self.store.get(key(name), self.now)
            assert entry is None or self.now < entry.stale_until

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        known = self.store.peek(key(name)) is not None
        assert self.store.remove(key(name)) is known
        assert self.store.peek(key(name)) is None

    @rule(zone=st.integers(0, 2))
    def remove_under(self, zone: int) -> None:
        self.store.remove_under(names.to_wire(f"z{zone}.shop."))

    @rule(bound=st.sampled_from([0, 2000, 10_000, 20_000, 60_000]))
    def resize(self, bound: int) -> None:
        self.store.resize(bound)

    @rule(seconds=st.sampled_from([0.5, 5.0, 40.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.store) > 20)
    @rule()
    def clear(self) -> None:
        assert self.store.clear() > 20

    @invariant()
    def the_bound_holds(self) -> None:
        assert 0 <= self.store.bytes <= self.store.max_bytes

    @invariant()
    def a_recount_finds_the_same(self) -> None:
        store = self.store
        queued = [*store._small, *store._main]
        living = [entry for entry in queued if entry.saved != HUSK]
        assert {id(entry) for entry in living} == {id(entry) for entry in store}
        assert len(living) == len(store)
        assert store.bytes == sum(entry.size_bytes for entry in store)
        assert store._small_bytes == sum(entry.size_bytes for entry in store._small if entry.saved != HUSK)
        assert store._husk_bytes == sum(entry.size_bytes for entry in queued if entry.saved == HUSK)
        assert all(entry.in_main for entry in store._main)
        assert not any(entry.in_main for entry in store._small)
        assert set(store._ghosts) == store._ghost_set
        assert len(store._ghosts) == len(store._ghost_set)


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("kinds", [3, 100])
def test_names_are_forgotten_with_all_their_types_and_nothing_else(kinds: int) -> None:
    store = Store(ROOMY)
    for name in ("web.shop.", "api.shop."):
        for qtype in range(1, kinds + 1):
            whole = names.to_wire(name) + qtype.to_bytes(2, "big") + b"\0\1\0"
            store.put(whole, answer(answers=addresses(1)), ZONE, "shop.", "10.0.0.1:53", NOW)
    gone = store.remove_names([names.to_wire("web.shop."), names.to_wire("other.shop.")])
    assert len(gone) == kinds
    assert {each[:-5] for each in store.keys()} == {names.to_wire("api.shop.")}  # noqa: SIM118 - a Store is no dict
    assert len(store) == kinds
