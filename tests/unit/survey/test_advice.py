"""What names say about the lean profile: never "safe" where a pod would end elsewhere, and no false alarm."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolver.message import codes
from resolver.survey.advice import Advice, Seen, advise, steps
from tests.unit.builders import parsed
from tests.unit.searching import CLUSTER, KNOWN, LEAN, NAMES, REST, SERVICES, SHOP, Names

DOMAIN = "cluster.local"


def watched(world: Names, written: Sequence[str], times: int = 1) -> list[Seen]:
    """What a pod in the namespace shop, with the usual search list, is seen to ask for."""
    seen: Counter[tuple[str, str]] = Counter()
    for name in written:
        asked, _ = world.looked_up(name, SHOP, 5)
        for step in asked:
            reply = parsed(world.ask(step))
            ended = "missing" if reply.header.rcode == codes.NXDOMAIN else "answered" if reply.rr else "empty"
            seen[step.rstrip("."), ended] += times
    return [Seen(name, ended, count) for (name, ended), count in seen.items()]


def advice_for(*written: str, known: dict[str, str] = SERVICES, enough: int = 1) -> Advice:
    world = Names(known, CLUSTER._replace(search_completion=False), REST)
    return advise(watched(world, written, 10), "shop", DOMAIN, enough=enough)


@pytest.mark.parametrize(
    ("written", "saved"),
    [
        ("api.example.com", 3), ("example.com", 2), ("db.data", 1), ("db.data.svc.cluster.local", 3), ("web.shop", 1),
        ("missing.example.com", 2),
    ],
)  # fmt: skip
def test_what_goes_on_working_is_safe_and_saves_steps(written: str, saved: int) -> None:
    advice = advice_for(written)
    assert (advice.verdict, advice.saved) == ("safe", 10 * saved)


@pytest.mark.parametrize("written", ["web", "db.data.svc"])
def test_what_would_break_is_named(written: str) -> None:
    advice = advice_for(written, "api.example.com")
    assert advice.verdict == "unsafe"
    assert advice.evidence[0].startswith(repr(written))


def test_a_name_with_two_dots_that_musl_would_not_search_for_is_not_safe() -> None:
    advice = advice_for("pod-0.db.data")
    assert advice.verdict == "unsafe"
    assert "'pod-0.db.data' leads to pod-0.db.data.svc.cluster.local" in advice.evidence[0]


def test_the_same_service_by_two_names_is_unsafe_for_one_of_them() -> None:
    """`web` is seen by what `web.shop` does not account for."""
    advice = advice_for("web.shop", "web.shop", "web.shop", "web")
    assert advice.verdict == "unsafe"
    assert advice_for("web.shop", "web.shop", "web.shop").verdict == "safe"


def test_a_name_found_by_the_nodes_search_domain_breaks() -> None:
    asked = steps("db1", ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"], 5)
    seen = [Seen(name, "missing", 50) for name in asked[:3]] + [Seen(asked[3], "answered", 50)]
    assert advise(seen, "shop", DOMAIN, ["corp.example"]).verdict == "unsafe"


def test_little_is_not_enough() -> None:
    assert advice_for("api.example.com", enough=100).verdict == "not enough seen"


def test_chance_in_a_sample_is_no_bare_name() -> None:
    seen = [
        Seen("web.shop.shop.svc.cluster.local", "missing", 4800),
        Seen("web.shop.svc.cluster.local", "answered", 5000),
    ]
    assert advise(seen, "shop", DOMAIN).verdict == "unsafe"
    assert advise(seen, "shop", DOMAIN, mean_weight=32.0).verdict == "safe"


def test_what_is_not_certain_of_a_full_table_is_not_taken_for_safe() -> None:
    seen = [
        Seen("web.shop.shop.svc.cluster.local", "missing", 500, 100),
        Seen("web.shop.svc.cluster.local", "answered", 500),
    ]
    assert advise(seen, "shop", DOMAIN).verdict == "unsafe"


@settings(max_examples=30)
@given(KNOWN, st.lists(NAMES, min_size=1, max_size=4))
def test_what_is_called_safe_ends_where_it_ended_before(known: list[str], written: list[str]) -> None:
    known = [*known, "web.shop.svc.cluster.local."]
    truth = {name: f"192.0.2.{number}" for number, name in enumerate(dict.fromkeys(known))}
    world = Names(truth, CLUSTER._replace(search_completion=False), REST)
    advice = advise(watched(world, written), "shop", DOMAIN, enough=1)
    usual = {name: world.looked_up(name, SHOP, 5) for name in written}
    lean = {name: world.looked_up(name, LEAN, 2) for name in written}
    musl = {name: world.looked_up(name, () if name.count(".") >= 2 else LEAN, 2) for name in written}
    broken = [
        name for name in written
        if usual[name][1] is not None and not usual[name][1] == lean[name][1] == musl[name][1]
    ]  # fmt: skip
    if advice.verdict == "safe":
        assert not broken
        assert advice.saved == sum(len(usual[name][0]) - len(lean[name][0]) for name in written)
    elif advice.verdict == "unsafe":
        # A name with a final dot looks like one without the pod's namespace; nobody wrote one here.
        assert broken
