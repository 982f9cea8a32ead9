"""What changes in the cluster is forgotten at once, and what is said right after is not trusted for long."""

import pytest

from resolver.cache.packets import Budget
from resolver.cache.store import Store
from resolver.config import Zone
from resolver.freshness import MAX_CHANGED, SETTLED_SECONDS, Freshness
from resolver.message import names
from resolver.ops.changes import Changes
from tests.unit.builders import addresses, answer, answer_packet, query_packet
from tests.unit.world import World, zone

CLUSTER = zone("cluster.local", "in-addr.arpa", freshness=True)
WEB = "web.shop.svc.cluster.local."
REVERSE = "2.1.96.10.in-addr.arpa."
KNOWN = [WEB, REVERSE, "api.shop.svc.cluster.local.", "web.shop.svc.example.com."]


class Followed(World):
    """A world in which some names are remembered, and changes can be told."""

    def __init__(self, *zones: Zone) -> None:
        super().__init__(*(zones or (CLUSTER, zone("."))))
        self.changes = Changes(self.lookups.loop, self.timers, self.engine)

    def remember(self, *told: str) -> None:
        for name in told:
            route = self.engine.routes.find(names.to_wire(name))
            assert route is not None
            key = names.to_wire(name) + b"\0\1\0\1\0"
            self.engine.store.put(key, answer(answers=addresses(1, ttl=30)), route.zone, "", "ns1", self.now)

    def remembered(self) -> list[str]:
        return sorted(names.to_text(each.key[:-5]) for each in self.engine.store)


def test_exactly_the_changed_names_are_forgotten() -> None:
    world = Followed()
    world.remember(*KNOWN)
    world.changes.learn(["web.shop", REVERSE], all_of_them=False)
    assert world.remembered() == ["api.shop.svc.cluster.local.", "web.shop.svc.example.com."]
    assert (world.engine.freshness.changed_total, world.engine.freshness.forgotten_total) == (2, 2)


def test_all_is_what_the_cluster_says_and_nothing_of_the_world() -> None:
    world = Followed()
    world.remember(*KNOWN)
    world.changes.learn([], all_of_them=True)
    assert world.remembered() == ["web.shop.svc.example.com."]


def test_what_is_said_right_after_is_forgotten_again_and_then_kept() -> None:
    world = Followed()
    world.changes.learn(["web.shop"], all_of_them=False)
    kept = []
    for pause in (0.2, 0.2, 0.4, 0.9, 0.5, 0.5):
        world.remember(WEB)
        world.go(pause)
        kept.append(len(world.remembered()))
    assert kept == [1, 0, 0, 0, 0, 1]


def test_a_changed_name_is_remembered_briefly_until_it_has_settled() -> None:
    store = Store(1 << 20)
    freshness = Freshness(store, Budget(1 << 20))
    web, other = names.to_wire(WEB), names.to_wire("other.")
    assert not freshness.pending
    freshness.note([web], 100.0)
    brief = freshness.zone_for(web, CLUSTER, 101.0)
    assert (brief.max_ttl, brief.max_nttl) == (1, 1)
    assert freshness.zone_for(web, CLUSTER, 102.0) is brief
    assert freshness.zone_for(other, CLUSTER, 101.0) is CLUSTER
    assert freshness.zone_for(web, CLUSTER, 100.0 + SETTLED_SECONDS) is CLUSTER
    never = CLUSTER._replace(max_ttl=0)
    assert freshness.zone_for(web, never, 101.0).max_ttl == 0
    freshness.note([], 200.0)
    assert not freshness.pending


def test_of_many_changes_the_oldest_are_let_go() -> None:
    freshness = Freshness(Store(1 << 20), Budget(1 << 20))
    freshness.note((names.to_wire(f"n{n}.") for n in range(MAX_CHANGED + 10)), 0.0)
    assert freshness.zone_for(names.to_wire("n9."), CLUSTER, 1.0) is CLUSTER
    assert freshness.zone_for(names.to_wire("n10."), CLUSTER, 1.0) is not CLUSTER


def test_what_search_lists_make_of_a_changed_name_is_remembered_briefly_as_well() -> None:
    world = Followed(CLUSTER._replace(search_completion=True), zone("."))
    world.changes.learn(["web.shop"], all_of_them=False)
    for name, brief in (("web.shop.other.svc.cluster.local.", True), ("web.other.svc.cluster.local.", False)):
        kept = world.engine.freshness.zone_for(names.to_wire(name), CLUSTER, world.now + 3)
        assert (kept.max_nttl == 1) is brief
    assert world.engine.freshness.changed_total == 1


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("web.shop.other.svc.cluster.local.", True),
        ("web.shop.svc.", True),
        ("web.shop.svc.other.svc.cluster.local.", True),
        ("db-0.web.shop.other.svc.cluster.local.", False),
        ("web.shopping.other.svc.cluster.local.", False),
        ("api.shop.other.svc.cluster.local.", False),
        ("web.shop.example.com.", False),
    ],
)
def test_what_search_lists_made_of_a_name_goes_with_it(name: str, gone: bool) -> None:
    completing = CLUSTER._replace(search_completion=True)
    world = Followed(completing, zone("."))
    world.remember(name, *(f"filler-{n}.example.com." for n in range(1200)))
    world.changes.learn(["web.shop", "shop"], all_of_them=False)
    world.go(0)
    assert (name not in world.remembered()) == gone
    assert len(world.remembered()) == 1201 - gone


def test_a_name_that_is_too_long_to_exist_is_passed_over() -> None:
    world = Followed()
    world.remember(WEB)
    world.changes.learn(["x" * 64, "web.shop"], all_of_them=False)
    assert world.remembered() == []


def test_an_answer_to_a_question_about_a_changed_name_tells_a_second_and_no_more() -> None:
    world = Followed()
    world.changes.learn(["web.shop"], all_of_them=False)
    asked = world.ask(query_packet(WEB))
    world.sends[-1].answer(answer_packet(WEB, answers=addresses(1, WEB, ttl=30)))
    (entry,) = world.engine.store
    assert (entry.ttl, entry.cap) == (1, 1)
    assert asked.replies
