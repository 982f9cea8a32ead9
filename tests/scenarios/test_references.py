"""The stories told to real servers: this resolver behind sockets, Unbound, CoreDNS. See table.py for what comes of it.

Most of a play is waiting, so all stories of a server are played at once, when the first test about it runs. Each story
is a test of its own.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import needs, servers
from tests.scenarios.language import Scenario
from tests.scenarios.peers import Ours, coredns, unbound
from tests.scenarios.runs import expected_to_differ, play_all, why_not
from tests.scenarios.table import page, stories, topic_of

ROOT = Path(__file__).parents[2]
STORIES = stories()
Played = dict[str, str | None]


def _against_sockets(chosen: list[Scenario], folder: Path) -> Played:
    with Ours() as start:
        return play_all(chosen, "sockets", start)


def _against_unbound(chosen: list[Scenario], folder: Path) -> Played:
    needs.require("unbound", "faketime")
    return play_all(chosen, "unbound", unbound(folder))


def _against_coredns(chosen: list[Scenario], folder: Path) -> Played:
    needs.require("go")
    return play_all(chosen, "coredns", coredns(servers.coredns(), folder))


def told(peer: str) -> pytest.MarkDecorator:
    """One test for each story that is played against this server."""
    chosen = [story for story in STORIES if why_not(story, peer) is None]
    return pytest.mark.parametrize("story", chosen, ids=lambda story: story.name)


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Played]:
    """What came of the stories, by name, each played once in a test run; those whose tests were chosen, no others."""
    names = {item.name for item in request.session.items}
    found: dict[str, Played] = {}

    def play(peer: str, against: Callable[[list[Scenario], Path], Played]) -> Played:
        if peer not in found:
            chosen = [story for story in STORIES if any(peer in name and f"[{story.name}]" in name for name in names)]
            found[peer] = against(chosen, tmp_path_factory.mktemp(peer))
        return found[peer]

    return play


def judge(story: Scenario, peer: str, difference: str | None) -> None:
    """Whoever is said to do the same must; whoever is said to differ must not."""
    reason = expected_to_differ(story, peer)
    if reason is None:
        assert difference is None, f"{story.claim}\n{difference}"
    else:
        assert difference is not None, f"{peer} does what the story says; it says that {peer} differs: {reason}"


@told("sockets")
def test_behind_sockets_it_is_the_same(story: Scenario, played: Callable[..., Played]) -> None:
    judge(story, "sockets", played("sockets", _against_sockets)[story.name])


@pytest.mark.needs("unbound", "faketime")
@told("unbound")
def test_unbound_does_the_same_or_differs_as_written(story: Scenario, played: Callable[..., Played]) -> None:
    judge(story, "unbound", played("unbound", _against_unbound)[story.name])


@pytest.mark.e2e
@pytest.mark.needs("go")
@told("coredns")
def test_coredns_does_the_same_or_differs_as_written(story: Scenario, played: Callable[..., Played]) -> None:
    judge(story, "coredns", played("coredns", _against_coredns)[story.name])


def test_the_page_is_what_the_stories_say() -> None:
    assert (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8") == page()


def test_every_story_has_one_topic() -> None:
    assert all(topic_of(story) for story in STORIES)
