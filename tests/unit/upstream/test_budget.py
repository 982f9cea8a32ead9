"""A zone's budget: never more in a second than it says, turns for all, and nothing fresh for those who can wait."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolver.config import Zone
from resolver.message import codes
from resolver.upstream.budget import MOST_WAITING, Budget
from tests.unit.builders import addresses, answer_packet, ede_of, query_packet
from tests.unit.world import Asked, World, rcode_of, zone

TEN = zone(".", servers=["a"], queries_per_second=10)


def ask(world: World, number: int, client: str = "10.1.0.7") -> Asked:
    return world.ask(query_packet(f"n{number}.shop.", edns=1232), client=client)


def serve(world: World) -> None:
    """Every server answers what it has got."""
    for sent in world.waiting_sends:
        sent.answer(answer_packet(sent.name, answers=addresses(1, sent.name)))


def pass_time(world: World, seconds: float) -> None:
    """Let time pass with servers that answer within ten milliseconds."""
    for _ in range(round(seconds * 100)):
        serve(world)
        world.go(0.01)
    serve(world)


@settings(max_examples=200)
@given(
    st.integers(10, 200),
    st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 40)), min_size=1, max_size=40),
)
def test_in_no_second_more_lookups_begin_than_the_budget(per_second: int, bursts: list[tuple[float, int]]) -> None:
    budget: Budget[int] = Budget(per_second)
    now, sent = 1000.0, []
    for pause, burst in bursts:
        until = now + pause
        while budget.waiting and (at := budget.ready_at(now)) <= until:
            now = max(at + 1e-9, now)
            while budget.following(now) is not None:
                sent.append(now)
        now = until
        for number in range(burst):
            if budget.admit(now):
                sent.append(now)
            else:
                budget.wait(f"client {number % 3}", number)
    for first, at in enumerate(sent):
        assert sum(at <= other < at + 0.999 for other in sent[first:]) <= per_second + 1


def test_clients_take_turns_whoever_asks_most() -> None:
    budget: Budget[str] = Budget(10)
    while budget.admit(1000.0):
        pass
    for _ in range(50):
        budget.wait("loud", "loud")
    for client in ("a", "b", "c"):
        budget.wait(client, client)
    turns = [budget.following(1000.0 + 0.2 * turn) for turn in range(1, 9)]
    assert Counter(turns) == {"loud": 5, "a": 1, "b": 1, "c": 1}
    assert turns[:4] == ["loud", "a", "b", "c"]


def test_what_nobody_waits_for_comes_last_but_every_eighth_turn() -> None:
    budget: Budget[str] = Budget(10)
    while budget.admit(1000.0):
        pass
    for _ in range(20):
        budget.wait("", "refresh")
        budget.wait("client", "client")
    turns = [budget.following(1000.0 + 0.2 * turn) for turn in range(1, 17)]
    assert Counter(turns) == {"client": 14, "refresh": 2}


def test_a_client_has_only_so_many_waiting() -> None:
    budget: Budget[int] = Budget(10)
    assert all(budget.wait("loud", number) for number in range(MOST_WAITING))
    assert not budget.wait("loud", -1)
    assert budget.wait("other", -1)
    assert budget.refused_total == 1


def test_further_tries_are_never_held_up_but_later_lookups_wait_for_them() -> None:
    budget: Budget[int] = Budget(10)
    assert budget.admit(1000.0)
    for _ in range(9):
        budget.spend(1000.0)
    assert not budget.admit(1000.9)
    assert budget.admit(1001.2)


def test_the_busiest_second_of_the_last_minute_is_told_as_a_share() -> None:
    budget: Budget[int] = Budget(10)
    for _ in range(5):
        budget.spend(1000.2)
    budget.spend(1030.0)
    assert budget.peak_share(1030.0) == 0.5
    assert budget.peak_share(1059.0) == 0.5
    budget.spend(1061.0)
    budget.spend(1122.0)
    assert budget.peak_share(1122.0) == 0.1
    assert budget.peak_share(2000.0) == 0


def test_what_exceeds_the_budget_waits_and_is_answered() -> None:
    world = World(TEN)
    asked = [ask(world, number) for number in range(4)]
    assert len(world.sends) == 1
    world.go(0.12)
    assert len(world.sends) == 2
    pass_time(world, 0.4)
    assert [rcode_of(each.reply) for each in asked] == [codes.NOERROR] * 4
    budget = world.engine.routes.all[0].budget
    assert budget is not None
    assert (budget.deferred_total, budget.refused_total, budget.waiting) == (3, 0, 0)


def test_who_waits_too_long_for_a_try_is_told_why_and_it_is_not_remembered() -> None:
    world = World(TEN)
    asked = [ask(world, number) for number in range(20)]
    pass_time(world, 0.7)
    rcodes = Counter(rcode_of(each.reply) for each in asked)
    assert rcodes == {codes.NOERROR: 6, codes.SERVFAIL: 14}, "one at once, and one in each ninth of 0.6 seconds"
    assert ede_of(asked[-1].reply) == (0, "the budget of this zone (queriesPerSecond) is used up")
    world.go(0.5)
    again = ask(world, 19)
    serve(world)
    assert rcode_of(again.reply) == codes.NOERROR


def test_a_lookup_that_had_to_wait_still_ends_in_time() -> None:
    world = World(TEN)
    asked = [ask(world, number) for number in range(3)]
    world.go(0.95)
    assert [rcode_of(each.reply) for each in asked] == [codes.SERVFAIL] * 3
    assert not len(world.engine.flights)


def test_while_the_budget_is_short_an_expired_answer_is_served_at_once_and_made_fresh_later() -> None:
    world = World(TEN)
    ask(world, 0)
    serve(world)
    world.go(31)
    before = len(world.sends)
    others = [ask(world, number) for number in range(1, 4)]
    stale = ask(world, 0)
    assert rcode_of(stale.reply) == codes.NOERROR
    assert ede_of(stale.reply) == (codes.EDE_STALE_ANSWER, "")
    pass_time(world, 0.5)
    assert [sent.name for sent in world.sends[before:]] == ["n1.shop.", "n2.shop.", "n3.shop.", "n0.shop."]
    assert all(rcode_of(other.reply) == codes.NOERROR for other in others)


@pytest.mark.parametrize("flood", [50, 400])
def test_a_client_that_floods_does_not_keep_the_others_from_their_turn(flood: int) -> None:
    world = World(TEN)
    for number in range(flood):
        ask(world, number, "10.1.0.66")
    quiet = ask(world, 9999, "10.1.0.7")
    pass_time(world, 0.4)
    assert rcode_of(quiet.reply) == codes.NOERROR


def test_without_a_budget_nothing_waits() -> None:
    world = World(zone(".", servers=["a"]))
    for number in range(100):
        ask(world, number)
    assert len(world.sends) == 100
    assert Zone(names=(".",), upstreams=()).queries_per_second == 0
