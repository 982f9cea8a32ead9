"""Answers from one engine to another through a pipe, while both have other things to do."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import pytest

from resolver import memory
from resolver.cache.entry import Entry
from resolver.cache.snapshot import MARK, UP_TO_DATE, write
from resolver.config import Cache, Config, Listen, Upstream, Zone
from resolver.core import Resolver
from resolver.memory import Giving, Taking
from resolver.message.answer import read_answer

ZONE = Zone((".",), (Upstream("127.0.0.1", 9),), max_ttl=300)
SIZE = Cache().size_bytes


def resolver(zone: Zone = ZONE) -> Resolver:
    return Resolver(Config(listen=Listen(()), zones=(zone,)))


def put(into: Resolver, number: int, age_seconds: float = 0.0, address: int = 1) -> bytes:
    """Have an answer remembered; its key."""
    question = b"\5%05d\7example\0\0\1\0\1" % number
    record = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\x0a\0\0" + bytes((address,))
    packet = b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + question + record
    key, stored_at = question + b"\0", monotonic() - age_seconds
    into.engine.store.put(key, read_answer(packet, question), ZONE, ".", "127.0.0.1:9", stored_at)
    return key


def fill(into: Resolver, names: int, age_seconds: float = 0.0) -> None:
    for number in range(names):
        put(into, number, age_seconds)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until this holds."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the loop has turned in vain")


class Pair:
    """Two resolvers, the pipe between them, and both its ends at work."""

    def __init__(self, names: int = 0, age_seconds: float = 0.0, zone: Zone = ZONE, most_bytes: int = SIZE) -> None:
        self.old, self.new = resolver(), resolver(zone)
        fill(self.old, names, age_seconds)
        self.mine, self.its = os.pipe()
        self.late: list[int] = []
        self.giving = Giving(self.old.engine, self.its)
        self.taking = Taking(self.new.engine, self.mine, most_bytes, self.late.append)

    async def told_all(self) -> int:
        """The old one ends: how many answers it told the new one after that was up to date."""
        self.giving.finish()
        await until(lambda: self.late)
        return self.late[0]

    async def close(self) -> None:
        self.giving.close()
        self.taking.close()
        await self.old.close()
        await self.new.close()

    def knows(self, key: bytes) -> Entry:
        entry = self.new.engine.store.peek(key)
        assert entry is not None
        return entry


def with_pair(story: Callable[[Pair], Coroutine[Any, Any, None]], **arguments: Any) -> None:
    """Have a story of two resolvers happen."""

    async def run() -> None:
        pair = Pair(**arguments)
        try:
            await story(pair)
        finally:
            await pair.close()

    asyncio.run(run())


def given(names: int, *, age_seconds: float = 0.0, zone: Zone = ZONE) -> tuple[int, int]:
    """How many answers the other one says to have taken, and how many it has."""
    found = []

    async def story(pair: Pair) -> None:
        found.append((await pair.taking.up_to_date(), len(pair.new.engine.store)))

    with_pair(story, names=names, age_seconds=age_seconds, zone=zone)
    return found[0]


@pytest.mark.parametrize("names", [0, 1, 5000])
def test_everything_arrives(names: int) -> None:
    assert given(names) == (names, names)


def test_what_is_too_old_or_in_no_zone_is_left_behind() -> None:
    assert given(10, age_seconds=7200.0) == (0, 0)
    assert given(10, zone=ZONE._replace(names=("elsewhere",))) == (0, 0)
    assert given(10, zone=ZONE._replace(max_ttl=0)) == (0, 0)


def test_what_is_expired_may_still_stand_in() -> None:
    assert given(10, age_seconds=1000.0) == (10, 10)


def test_on_the_way_an_answer_grows_no_younger() -> None:
    async def story(pair: Pair) -> None:
        await pair.taking.up_to_date()
        stored = {entry.key: entry.stored_at for entry in pair.old.engine.store}
        assert {entry.key: entry.stored_at for entry in pair.new.engine.store} == stored

    with_pair(story, names=10, age_seconds=20.0)


def test_answers_that_expire_together_at_the_moment_of_a_hand_over_are_fetched_by_one_for_both() -> None:
    async def story(pair: Pair) -> None:
        assert await pair.taking.up_to_date() == 500
        now = monotonic()
        assert not any(entry.is_fresh(now) for entry in pair.new.engine.store)
        fill(pair.old, 500)
        assert await pair.told_all() == 500
        assert all(entry.is_fresh(now) for entry in pair.new.engine.store)

    with_pair(story, names=500, age_seconds=301.0)


def test_what_is_learnt_while_the_rest_is_still_being_written_is_told_as_well() -> None:
    async def story(pair: Pair) -> None:
        await until(lambda: len(pair.new.engine.store))  # the pipe does not take all at once
        fill(pair.old, 10)
        put(pair.old, 9999)
        await pair.taking.up_to_date()
        assert await pair.told_all() == 11
        assert len(pair.new.engine.store) == 5001
        assert pair.knows(put(pair.old, 3)).is_fresh(monotonic())

    with_pair(story, names=5000, age_seconds=301.0)


def test_what_the_new_one_has_learnt_itself_meanwhile_is_not_overwritten() -> None:
    async def story(pair: Pair) -> None:
        await pair.taking.up_to_date()
        put(pair.old, 1, age_seconds=2.0, address=1)
        key = put(pair.new, 1, age_seconds=1.0, address=2)
        assert await pair.told_all() == 0
        assert pair.knows(key).sections[-1] == 2
        assert pair.knows(key).ttl == 300

    with_pair(story)


def test_what_is_forgotten_while_it_is_being_given_is_not_remembered_by_the_new_one() -> None:
    async def story(pair: Pair) -> None:
        await until(lambda: len(pair.new.engine.store))
        put(pair.old, 9999)
        pair.old.engine.flush_all()
        assert await pair.taking.up_to_date() < 5000
        assert await pair.told_all() == 0

    with_pair(story, names=5000)


def test_more_than_a_successor_can_read_is_not_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_LEARNT", 100)

    async def story(pair: Pair) -> None:
        await pair.taking.up_to_date()
        fill(pair.old, 500)
        assert await pair.told_all() == 100
        assert pair.knows(put(pair.old, 499)).is_fresh(monotonic())  # the latest

    with_pair(story)


def test_a_predecessor_that_ends_with_nothing_more_to_tell_ends_the_taking() -> None:
    async def story(pair: Pair) -> None:
        await pair.taking.up_to_date()
        assert pair.old.engine.store.on_put is not None
        assert await pair.told_all() == 0
        assert pair.old.engine.store.on_put is None

    with_pair(story, names=3)


def test_a_predecessor_that_never_ends_is_not_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "OVERLAP_SECONDS", 0.01)

    async def story(pair: Pair) -> None:
        await until(lambda: pair.late)
        assert len(pair.new.engine.store) <= 3

    with_pair(story, names=3)


def test_a_successor_that_goes_away_ends_the_giving() -> None:
    async def story(pair: Pair) -> None:
        pair.taking.close()
        await until(lambda: pair.old.engine.store.on_put is None)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(pair.its)

    with_pair(story, names=5000)


def test_a_successor_that_goes_away_later_ends_it_with_the_next_answer() -> None:
    async def story(pair: Pair) -> None:
        await pair.taking.up_to_date()
        pair.taking.close()
        put(pair.old, 9999)
        await until(lambda: pair.old.engine.store.on_put is None)

    with_pair(story)


def test_a_predecessor_that_falls_silent_is_not_waited_for_and_what_it_says_later_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "PATIENCE_SECONDS", 0.01)

    async def run() -> None:
        old, new, late = resolver(), resolver(), list[int]()
        mine, its = os.pipe()
        os.write(its, MARK)
        taking = Taking(new.engine, mine, SIZE, late.append)
        assert await taking.up_to_date() == 0
        key = put(old, 1)
        entry = old.engine.store.peek(key)
        assert entry is not None
        os.write(its, write(entry) + UP_TO_DATE)
        os.close(its)
        await until(lambda: late)
        assert new.engine.store.peek(key) is not None
        await old.close()
        await new.close()

    asyncio.run(run())


def test_more_than_could_be_remembered_is_not_read() -> None:
    async def story(pair: Pair) -> None:
        assert 0 < await pair.taking.up_to_date() < 5000
        assert pair.late

    with_pair(story, names=5000, most_bytes=1000)
