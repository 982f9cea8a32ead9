"""Who was seen to hold up others goes aside with its family, and for a while whoever is new has to prove itself."""

import pytest

from resolver.upstream.suspects import ASIDE_SECONDS, MAX_ASIDE, MAX_PROVEN, WATCH_SECONDS, Standing, Suspects
from tests.unit.builders import question_wire

NOW = 100.0
DARK = question_wire("db.dark.example")
KNOWN = question_wire("web.shop.svc.cluster.local")


@pytest.fixture
def suspects() -> Suspects:
    """With one name that was seen to hold up others."""
    made = Suspects()
    made.held_up(DARK, NOW)
    return made


def test_nobody_is_suspected_until_something_is_seen() -> None:
    suspects = Suspects()
    assert not suspects.watching
    assert suspects.standing(DARK, NOW) is Standing.TRUSTED


def test_a_family_goes_aside_together_and_comes_back_by_answers(suspects: Suspects) -> None:
    sister = question_wire("web.dark.example", "AAAA")
    assert suspects.standing(sister, NOW) is Standing.ASIDE
    suspects.answered(sister)
    assert suspects.standing(DARK, NOW) is Standing.UNPROVEN, "one answer among many may be luck"
    suspects.answered(sister)
    assert suspects.standing(DARK, NOW) is Standing.TRUSTED


def test_a_family_that_was_well_has_to_show_it_again_before_it_goes_aside(suspects: Suspects) -> None:
    suspects.answered(KNOWN)
    seen = []
    for _ in range(2):
        suspects.held_up(KNOWN, NOW)
        seen.append(suspects.standing(KNOWN, NOW))
    assert seen == [Standing.UNPROVEN, Standing.ASIDE]


def test_names_of_other_families_have_to_be_answered_once(suspects: Suspects) -> None:
    assert suspects.standing(KNOWN, NOW) is Standing.UNPROVEN
    suspects.answered(question_wire("api.shop.svc.cluster.local"))
    assert suspects.standing(KNOWN, NOW) is Standing.TRUSTED


def test_a_family_that_is_aside_gets_another_chance(suspects: Suspects) -> None:
    assert suspects.standing(DARK, NOW + ASIDE_SECONDS - 0.1) is Standing.ASIDE
    assert suspects.standing(DARK, NOW + ASIDE_SECONDS) is Standing.UNPROVEN
    assert not suspects.aside


def test_after_a_while_without_any_all_are_trusted_and_nothing_is_kept(suspects: Suspects) -> None:
    suspects.answered(KNOWN)
    suspects.held_up(DARK, NOW + 1)
    assert suspects.standing(KNOWN, NOW + WATCH_SECONDS) is Standing.TRUSTED
    assert suspects.standing(DARK, NOW + 1 + WATCH_SECONDS) is Standing.TRUSTED
    assert not suspects.watching, "until it is seen again"
    suspects.held_up(DARK, NOW)
    assert suspects.standing(KNOWN, NOW) is Standing.UNPROVEN


@pytest.mark.parametrize("name", ["shop.example", "shop", "."])
def test_a_top_level_domain_is_no_family(name: str) -> None:
    suspects = Suspects()
    suspects.held_up(question_wire(name), NOW)
    assert suspects.standing(question_wire(name), NOW) is Standing.ASIDE
    assert suspects.standing(question_wire("bank.example"), NOW) is Standing.UNPROVEN


def test_only_so_many_families_are_aside_and_the_oldest_is_forgotten() -> None:
    suspects = Suspects()
    questions = [question_wire(f"web.shop-{number}.example") for number in range(MAX_ASIDE + 1)]
    for question in (*questions[:MAX_ASIDE], questions[0], questions[MAX_ASIDE]):
        suspects.held_up(question, NOW)
    assert len(suspects.aside) == MAX_ASIDE
    seen = [suspects.standing(question, NOW) for question in questions[:3]]
    assert seen == [Standing.ASIDE, Standing.UNPROVEN, Standing.ASIDE]


def test_only_so_many_families_are_proven_and_the_oldest_shows_it_again(suspects: Suspects) -> None:
    questions = [question_wire(f"web.shop-{number}.example") for number in range(MAX_PROVEN + 1)]
    for question in questions:
        suspects.answered(question)
    seen = [suspects.standing(question, NOW) for question in questions[:2]]
    assert seen == [Standing.UNPROVEN, Standing.TRUSTED]
