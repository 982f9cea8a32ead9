"""Search lists completed and AAAA records left out: a pod ends where its own steps would have led it, with fewer."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resolver.message import codes
from resolver.upstream.transport import Problem
from tests.unit.builders import answer_packet, parsed, query_packet
from tests.unit.searching import CLUSTER, KNOWN, LEAN, NAMES, REST, SERVICES, SHOP, Names
from tests.unit.world import rcode_of


@pytest.mark.parametrize(
    ("name", "searches", "ndots", "questions"),
    [
        ("api.example.com", SHOP, 5, 1),
        ("example.com", SHOP, 5, 1),
        ("web", SHOP, 5, 1),
        ("db.data", SHOP, 5, 1),
        ("pod-0.db.data", SHOP, 5, 1),
        ("db.data.svc", SHOP, 5, 1),
        ("db.data.svc.cluster.local", SHOP, 5, 1),
        ("api.example.com", LEAN, 2, 1),
        ("example.com", LEAN, 2, 1),
        ("web.shop", LEAN, 2, 1),
        ("web.shop.svc", LEAN, 2, 1),
        ("web.shop.svc.cluster.local", LEAN, 2, 1),
    ],
)
def test_one_question_finds_what_the_search_list_means(
    name: str, searches: Sequence[str], ndots: int, questions: int
) -> None:
    plain = Names(SERVICES, CLUSTER._replace(search_completion=False), REST)
    steps, found = Names().looked_up(name, searches, ndots)
    assert found is not None
    assert len(steps) == questions
    if (name, searches) != ("web.shop.svc", LEAN):  # which nothing but the completion finds
        assert found == plain.looked_up(name, searches, ndots)[1]


@example(known=["web.web.svc.cluster.local."], wanted=["web.web.web.svc"], how=(SHOP, 5))
@example(known=["web.web.", "web.web.svc.cluster.local."], wanted=["web.web.web.svc", "web.web.svc"], how=(SHOP, 5))
@example(known=["web.web."], wanted=["web.web.svc"], how=(SHOP, 5))
@settings(max_examples=400)
@given(KNOWN, st.lists(NAMES, min_size=1, max_size=3), st.sampled_from([(SHOP, 5), (SHOP, 2), (LEAN, 2)]))
def test_whatever_exists_a_pod_ends_where_its_own_steps_would_have_led_it(
    known: list[str], wanted: list[str], how: tuple[Sequence[str], int]
) -> None:
    known = [*known, "web.shop.svc.cluster.local."]
    # `svc.` is no top-level domain, and what the cluster's zone serves is served nowhere else.
    truth = {
        name: f"192.0.2.{number}" for number, name in enumerate(dict.fromkeys(known)) if not name.endswith(".svc.")
    }
    completing, plain = Names(truth), Names(truth, CLUSTER._replace(search_completion=False), REST)
    for name in wanted:
        if f".{name}".endswith(".svc") and how[0] is LEAN:
            continue  # found with the completion only
        asked, found = completing.looked_up(name, *how)
        steps, meant = plain.looked_up(name, *how)
        assert found == meant, (name, asked)
        assert len(asked) <= len(steps)


def test_the_answer_is_an_alias_with_the_records_behind_it() -> None:
    reply = parsed(Names().ask("API.example.com.shop.svc.cluster.local."))
    assert [(str(rr.rname), rr.rtype, str(rr.rdata)) for rr in reply.rr] == [
        ("API.example.com.shop.svc.cluster.local.", codes.CNAME, "api.example.com."),
        ("api.example.com.", codes.A, "192.0.2.1"),
    ]
    assert max(rr.ttl for rr in reply.rr[:1]) == 5, "as long as the name is known not to exist as asked"


@pytest.mark.parametrize("target", ["loop.example.com.", "loop.example.com.shop.svc.cluster.local."])
def test_a_completion_that_finds_a_loop_of_aliases_tells_it_and_ends(target: str) -> None:
    looping, asked = Names(), []
    said = looping.said

    def say(name: str, qtype: str) -> bytes:
        asked.append(name)
        loop = [f"{name} 60 IN CNAME {target}", f"{target} 60 IN CNAME {name}"]
        return answer_packet(name, qtype, loop) if name == "loop.example.com." else said(name, qtype)

    looping.said = say  # type: ignore[method-assign]
    reply = parsed(looping.ask("loop.example.com.shop.svc.cluster.local."))
    assert reply.header.rcode == 0
    assert {rr.rtype for rr in reply.rr} == {codes.CNAME}
    assert len(asked) == len(set(asked)), "each name is asked for once"


def test_a_name_that_exists_as_asked_is_never_completed() -> None:
    known = {**SERVICES, "api.example.com.shop.svc.cluster.local.": "10.96.0.77"}
    found = Names(known)
    assert [str(rr.rdata) for rr in parsed(found.ask("api.example.com.shop.svc.cluster.local.")).rr] == ["10.96.0.77"]
    assert {sent.server for sent in found.world.sends} == {"cluster"}


def test_a_service_that_is_not_there_is_asked_for_nowhere_else() -> None:
    found = Names({**SERVICES, "cart.shop.": "192.0.2.66"})
    assert rcode_of(found.ask("cart.shop.svc.cluster.local.")) == codes.NXDOMAIN
    assert {sent.server for sent in found.world.sends} == {"cluster"}


def test_the_last_step_of_a_search_list_is_not_taken_for_a_first_one() -> None:
    """`foo.app.shop`, which does not exist, ends as `foo.app.shop.svc.D`: that does not mean `foo.app`."""
    found = Names()
    assert found.looked_up("foo.app.shop", LEAN, 2) == (["foo.app.shop.", "foo.app.shop.svc.cluster.local."], None)


def test_a_name_with_no_address_of_the_family_is_an_alias_without_data() -> None:
    found = Names()
    reply = parsed(found.ask("api.example.com.shop.svc.cluster.local.", "AAAA"))
    assert reply.header.rcode == codes.NOERROR
    assert [(rr.rtype, str(rr.rdata)) for rr in reply.rr] == [(codes.CNAME, "api.example.com.")]
    assert [rr.rtype for rr in reply.auth] == [codes.SOA]


def test_what_the_nodes_own_search_domains_hold_comes_before_the_world() -> None:
    found = Names({**SERVICES, "api.example.com.corp.example.": "10.9.9.9"}, searches=["corp.example"])
    assert "10.9.9.9" in [str(rr.rdata) for rr in parsed(found.ask("api.example.com.shop.svc.cluster.local.")).rr]


def test_a_completed_answer_is_remembered_like_any_other() -> None:
    found = Names()
    first = found.ask("api.example.com.shop.svc.cluster.local.")
    sends = len(found.world.sends)
    assert found.ask("api.example.com.shop.svc.cluster.local.") == first
    assert len(found.world.sends) == sends
    found.world.go(5.1)
    found.ask("api.example.com.shop.svc.cluster.local.")
    assert len(found.world.sends) > sends, "whether it exists as asked is asked again"


def test_where_the_world_is_silent_the_name_does_not_exist_as_asked() -> None:
    found = Names()
    asked = found.world.ask(query_packet("api.example.com.shop.svc.cluster.local."))
    while sends := [sent for sent in found.world.waiting_sends if sent.server == "cluster"]:
        for sent in sends:
            sent.answer(found.said(sent.name, "A"))
    found.world.go(2)
    assert rcode_of(asked.reply) == codes.NXDOMAIN
    assert found.world.engine.derived.completed == {"found": 0, "none": 0, "failed": 1}
    assert not len(found.world.engine.flights)


def test_where_the_cluster_is_silent_the_answer_is_a_failure() -> None:
    found = Names()
    asked = found.world.ask(query_packet("api.example.com.shop.svc.cluster.local."))
    for sent in found.world.waiting_sends:
        sent.fail(Problem.REFUSED)
    found.world.go(2)
    assert rcode_of(asked.reply) == codes.SERVFAIL


@pytest.mark.parametrize("flags", [0x0110])
def test_who_validates_is_told_what_the_servers_say(flags: int) -> None:
    assert rcode_of(Names().ask("api.example.com.shop.svc.cluster.local.", flags=flags)) == codes.NXDOMAIN


def test_without_ipv6_only_addresses_are_asked_for() -> None:
    found = Names(SERVICES, CLUSTER, REST._replace(filter_aaaa=True))
    reply = parsed(found.ask("example.com.", "AAAA"))
    assert (reply.header.rcode, reply.rr, [rr.rtype for rr in reply.auth]) == (codes.NOERROR, [], [codes.SOA])
    assert [sent.qtype for sent in found.world.sends] == [codes.A]
    assert len(parsed(found.ask("example.com.")).rr) == 1
    assert len(found.world.sends) == 1, "the client's other question finds it known"
    assert found.world.engine.derived.filtered_total == 1


def test_without_ipv6_a_name_that_does_not_exist_still_does_not() -> None:
    found = Names(SERVICES, CLUSTER, REST._replace(filter_aaaa=True))
    assert rcode_of(found.ask("missing.example.com.", "AAAA")) == codes.NXDOMAIN
    assert rcode_of(found.ask("missing.example.com.", "A")) == codes.NXDOMAIN
    assert len(found.world.sends) == 1


def test_without_ipv6_a_failure_is_one_of_both() -> None:
    found = Names(SERVICES, CLUSTER, REST._replace(filter_aaaa=True))
    asked = found.world.ask(query_packet("example.com.", "AAAA"))
    for sent in found.world.waiting_sends:
        sent.fail(Problem.REFUSED)
    found.world.go(2)
    assert rcode_of(asked.reply) == codes.SERVFAIL


def test_both_together_answer_for_the_name_that_is_meant() -> None:
    found = Names(SERVICES, CLUSTER, REST._replace(filter_aaaa=True))
    reply = parsed(found.ask("api.example.com.shop.svc.cluster.local.", "AAAA"))
    assert [(rr.rtype, str(rr.rdata)) for rr in reply.rr] == [(codes.CNAME, "api.example.com.")]
    assert not [sent for sent in found.world.sends if sent.server == "world" and sent.qtype == codes.AAAA]
