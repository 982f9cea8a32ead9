"""Playing many stories against a real resolver at once: most of the time goes by waiting, so they wait together."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.scenarios.language import Scenario, seconds
from tests.scenarios.peers import Start
from tests.scenarios.player import Player
from tests.scenarios.stage import Settings
from tests.scenarios.wire import HASTE_SECONDS, PATIENCE_SECONDS, WireWorld

AT_ONCE = {"unbound": 16, "coredns": 16, "sockets": 32}
_LONGEST_SECONDS = 8.0
_PLAYS = 5
_SET_FORWARD = {"unbound"}


def why_not(story: Scenario, peer: str) -> str | None:
    """Why a story is not played against `peer`; None: it is."""
    remark = story.remarks.get(peer)
    if remark is not None and remark.verb == "skips":
        return remark.reason
    verbs = {step.verb for step in story.steps}
    if verbs & {"flush", "allow"}:
        return "needs a hand inside: " + ", ".join(sorted(verbs & {"flush", "allow"}))
    if any(step.verb == "fail" and step.words[-1] not in {"reset", "silent"} for step in story.steps):
        return "a port that refuses cannot be played once a query has come"
    if any(seconds(step.words[0]) % 1 for step in story.steps if step.verb == "pass"):
        return "depends on fractions of a second of our own"
    if peer not in _SET_FORWARD and _seconds(story) > _LONGEST_SECONDS:
        return f"its clock cannot be set, and more than {_LONGEST_SECONDS:.0f} s pass"
    return None


def _seconds(story: Scenario) -> float:
    """How long it lasts."""
    return sum(seconds(step.words[0]) for step in story.steps if step.verb == "pass")


def expected_to_differ(story: Scenario, peer: str) -> str | None:
    """The reason why `peer` does otherwise on purpose, where the story says so."""
    remark = story.remarks.get(peer)
    return remark.reason if remark is not None and remark.verb == "differs" else None


def play(story: Scenario, start: Start, patience_seconds: float) -> str | None:
    """What went other than the story says; None if nothing did."""
    world: list[WireWorld] = []

    def make(settings: Settings) -> WireWorld:
        world.append(WireWorld(settings, start, patience_seconds))
        return world[0]

    try:
        Player(story, make).play()
    except AssertionError as difference:
        return str(difference)
    finally:
        for each in world:
            each.close()
    return None


def play_all(stories: Iterable[Scenario], peer: str, start: Start) -> dict[str, str | None]:
    """What each went other than it says, by its name."""
    wanted = sorted((story for story in stories if why_not(story, peer) is None), key=_seconds, reverse=True)
    with ThreadPoolExecutor(AT_ONCE[peer], thread_name_prefix=peer) as pool:
        differences = list(pool.map(lambda story: _play(story, peer, start), wanted))
    found: dict[str, str | None] = {}
    for story, difference in zip(wanted, differences, strict=True):
        found[story.name] = difference
        # On a busy machine a server may give up one that the player had no time to play: again, by itself.
        for _ in range(_PLAYS - 1):
            if (found[story.name] is None) is (expected_to_differ(story, peer) is None):
                break
            found[story.name] = _play(story, peer, start)
    return found


def _play(story: Scenario, peer: str, start: Start) -> str | None:
    return play(story, start, HASTE_SECONDS if expected_to_differ(story, peer) else PATIENCE_SECONDS)
