"""Answers from one engine to another through a pipe, while both have other things to do."""

import asyncio
import os

import pytest

from resolver import memory
from resolver.cache.snapshot import MARK
from resolver.config import Cache, Config, Listen, Upstream, Zone
from resolver.core import Resolver
from resolver.memory import Giving, take
from resolver.message.answer import read_answer

ZONE = Zone((".",), (Upstream("127.0.0.1", 9),), max_ttl=300)
SIZE = Cache().size_bytes


def resolver(zone: Zone = ZONE) -> Resolver:
    return Resolver(Config(listen=Listen(()), zones=(zone,)))


def fill(into: Resolver, names: int, age_seconds: float = 0.0) -> None:
    now = asyncio.get_running_loop().time() - age_seconds
    for number in range(names):
        question = b"\5%05d\7example\0\0\1\0\1" % number
        packet = b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + question + b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\x0a\0\0\1"
        into.engine.store.put(question + b"\0", read_answer(packet, question), ZONE, ".", "127.0.0.1:9", now)


def given(names: int, *, age_seconds: float = 0.0, zone: Zone = ZONE) -> tuple[int, int]:
    """How many answers the other one says to have taken, and how many it has."""

    async def run() -> tuple[int, int]:
        old, new = resolver(), resolver(zone)
        fill(old, names, age_seconds)
        mine, its = os.pipe()
        Giving(old.engine, its)
        taken = await take(new.engine, mine, SIZE)
        await old.close()
        await new.close()
        return taken, len(new.engine.store)

    return asyncio.run(run())


@pytest.mark.parametrize("names", [0, 1, 5000])
def test_everything_arrives(names: int) -> None:
    assert given(names) == (names, names)


def test_what_is_too_old_or_in_no_zone_is_left_behind() -> None:
    assert given(10, age_seconds=7200.0) == (0, 0)
    assert given(10, zone=ZONE._replace(names=("elsewhere",))) == (0, 0)
    assert given(10, zone=ZONE._replace(max_ttl=0)) == (0, 0)


def test_what_is_expired_may_still_stand_in() -> None:
    assert given(10, age_seconds=1000.0) == (10, 10)


def test_a_successor_that_goes_away_ends_the_giving() -> None:
    async def run() -> None:
        old = resolver()
        fill(old, 5000)
        mine, its = os.pipe()
        os.close(mine)
        Giving(old.engine, its)
        while True:
            await asyncio.sleep(0)
            try:
                os.fstat(its)
            except OSError:
                break
        await old.close()

    asyncio.run(run())


def test_a_predecessor_that_falls_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PATIENCE_SECONDS", 0.01)

    async def run() -> int:
        new = resolver()
        mine, its = os.pipe()
        os.write(its, MARK)
        taken = await take(new.engine, mine, SIZE)
        os.close(its)
        await new.close()
        return taken

    assert asyncio.run(run()) == 0


def test_more_than_could_be_remembered_is_not_read() -> None:
    async def run() -> int:
        old, new = resolver(), resolver()
        fill(old, 5000)
        mine, its = os.pipe()
        Giving(old.engine, its)
        taken = await take(new.engine, mine, 1000)
        await asyncio.sleep(0)
        await old.close()
        await new.close()
        return taken

    assert 0 < asyncio.run(run()) < 5000
