"""Endpoints of a Service: one that has gone quiet is given up early, and one that is only slow is not asked twice."""

import pytest

from resolver.upstream.exchange import Finished
from resolver.upstream.haste import AGAIN_SECONDS, LOOK_SECONDS, MOST, SHARE, Haste
from resolver.upstream.health import FAILURES_TO_DOWN
from resolver.upstream.lookup import Result
from resolver.upstream.transport import Problem
from tests.unit.builders import addresses, answer_packet, key
from tests.unit.world import Sent, World, zone

GOOD = answer_packet(answers=addresses(1))
A_LOOK = LOOK_SECONDS + 0.002


def endpoints(*servers: str) -> World:
    """All but the last are pods of one Service, and the first of them is always the better one."""
    world = World(zone(".", servers=servers))
    (route,) = world.engine.routes.all
    route.alike = len(servers) - 1
    route._chance = lambda: 0.0
    return world


def look_up(world: World) -> list[Result]:
    results: list[Result] = []
    (route,) = world.engine.routes.all
    world.lookups.start(key("web.shop."), route, lambda _key, _route, result: results.append(result))
    return results


def asked(world: World) -> list[str]:
    return [sent.server for sent in world.sends]


def after_a_look(world: World) -> Sent:
    """The only send so far, which has had no answer until now."""
    look_up(world)
    world.go(A_LOOK)
    return world.sends[0]


def test_an_endpoint_that_says_nothing_is_given_up_long_before_its_time() -> None:
    world = endpoints("a", "b", "service")
    results = look_up(world)
    world.go(LOOK_SECONDS - 0.01)
    assert asked(world) == ["a"]
    world.go(0.012)
    assert asked(world) == ["a", "b"]
    assert world.sends[1].avoid is world.sends[0]
    world.sends[1].answer(GOOD)
    (result,) = results
    assert isinstance(result, Finished)


def test_each_further_endpoint_that_says_nothing_is_given_up_as_early() -> None:
    world = endpoints("a", "b", "c", "service")
    look_up(world)
    world.go(2 * A_LOOK + AGAIN_SECONDS)
    assert asked(world) == ["a", "b", "c"]


def test_other_zones_wait_for_the_whole_time_of_a_try() -> None:
    world = endpoints("a", "b")
    world.engine.routes.all[0].alike = 0
    look_up(world)
    world.go(0.29)
    assert asked(world) == ["a"]
    world.go(0.02)
    assert asked(world) == ["a", "b"]


def test_an_answer_that_is_late_among_others_is_waited_for() -> None:
    world = endpoints("a", "b", "service")
    look_up(world)
    world.sends[0].is_quiet = False
    world.go(0.29)
    assert asked(world) == ["a"]
    world.go(0.02)
    assert asked(world) == ["a", "b"]


def test_one_that_falls_silent_behind_a_last_answer_is_noticed_at_the_next_look() -> None:
    world = endpoints("a", "b", "service")
    look_up(world)
    world.sends[0].is_quiet = False
    world.go(A_LOOK)
    world.sends[0].is_quiet = True
    world.go(AGAIN_SECONDS)
    assert asked(world) == ["a", "b"]


def test_who_is_always_slow_is_not_asked_twice() -> None:
    world = endpoints("a", "b", "service")
    world.server("a").health.succeeded(world.now, 0.06)
    look_up(world)
    world.go(0.23)
    assert asked(world) == ["a"]
    world.go(0.03)
    assert asked(world) == ["a", "b"], "longer than four of its usual answers"


def test_one_that_was_given_up_early_is_still_judged_when_its_time_is_up() -> None:
    world = endpoints("a", "b", "service")
    for _ in range(FAILURES_TO_DOWN):
        first = after_a_look(world)
        world.sends[1].answer(GOOD)
        assert (first.told_silent, first.cancelled) == (False, False), "a moment of silence is no fault yet"
        world.go(0.2)
        assert (first.told_silent, first.cancelled) == (True, True)
        world.sends.clear()
    assert world.health_changes == [("a", True)]


def test_one_that_answers_after_all_is_well() -> None:
    world = endpoints("a", "b", "service")
    first = after_a_look(world)
    world.sends[1].answer(GOOD)
    world.go(0.05)
    first.answer(GOOD)
    world.go(1)
    health = world.server("a").health
    assert (health.failures_total, first.told_silent) == (0, False)
    assert health.latency_seconds == pytest.approx(0.152)


def test_one_that_breaks_off_after_all_has_failed() -> None:
    world = endpoints("a", "b", "service")
    first = after_a_look(world)
    world.sends[1].answer(GOOD)
    first.fail(Problem.RESET)
    world.go(1)
    assert (world.server("a").health.failures_total, len(world.sends)) == (1, 2)


def test_a_share_of_the_lookups_may_be_hasty_and_no_more() -> None:
    haste = Haste()
    assert sum(haste.take(1.0, None) for _ in range(2 * MOST)) == MOST
    lookups = 10_000
    hasty = 0
    for _ in range(lookups):
        haste.began()
        hasty += haste.take(1.0, 0.001)
    assert hasty == pytest.approx(lookups * SHARE, abs=1)
    assert haste.total == MOST + hasty


def test_what_is_saved_up_has_a_bound() -> None:
    haste = Haste()
    for _ in range(100_000):
        haste.began()
    assert sum(haste.take(1.0, None) for _ in range(2 * MOST)) == MOST


def test_who_must_not_be_hasty_waits_for_the_whole_time() -> None:
    world = endpoints("a", "b", "service")
    while world.engine.routes.all[0].haste.take(1.0, None):
        pass
    first = after_a_look(world)
    assert asked(world) == ["a"]
    world.go(0.21)
    assert asked(world) == ["a", "b"]
    assert first.told_silent
