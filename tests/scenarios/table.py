"""`python -m tests.scenarios.table` prints docs/conformance.md: the suite in numbers, and all differences with reasons.

All of it stands in the stories; the tests see to it that it is so: whoever is said to do the same must, and whoever is
said to differ must not (test_references.py).
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.scenarios.language import Scenario, read
from tests.scenarios.runs import expected_to_differ, why_not

FOLDER = Path(__file__).parent
TOPICS = {
    "Time to live": ("ttl", "prefetch"),
    "Negative answers": ("negative",),
    "Stale answers": ("stale",),
    "What is one question": ("question", "key-", "one-lookup"),
    "Header": ("header",),
    "EDNS": ("edns",),
    "Size and transport": ("size", "truncated", "udp-size", "rotation"),
    "Queries that are turned away": ("malformed", "refused-queries", "no-zone", "allowed-clients"),
    "What servers send": ("answers", "not-what"),
    "Failures": ("failure", "servfail", "silence", "refused-connections", "hedge"),
    "Zones and lookups": ("forwarding", "zones", "flush"),
}
REFERENCES = {"unbound": "Unbound 1.17", "coredns": "CoreDNS"}
_HEAD = """\
# The same stories, told to Unbound and CoreDNS

<!-- Printed from tests/scenarios by `python -m tests.scenarios.table`; a test compares the two. -->

What this resolver promises is written down as stories: somebody asks, something goes upstream, servers say this or
that, time passes, and the answers are what the claim says. They come from the RFCs and from what Unbound, BIND and
CoreDNS promise in their own suites, in words of our own; each story names its source. How they are written:
[tests/scenarios](../tests/scenarios/README.md).

All of them are played with the engine in time of its own, in seconds (`make test ARGS=tests/scenarios`). Where a story
needs nothing but clients, servers and whole seconds, it is played once more with this resolver behind real sockets,
with Debian's Unbound (whose clock is set forward), and with the CoreDNS that our tests build (`make e2e`), so that a
wrong expectation shows. **same**: does what the story says. **otherwise**: does not, for a reason written below; a test
fails if that changes, in either direction. **left out**: was not played, for a reason written below as well.

"""


def stories() -> list[Scenario]:
    """All of them, in the order of their files."""
    return [story for path in sorted(FOLDER.glob("*.scenario")) for story in read(path)]


def topic_of(story: Scenario) -> str:
    """The topic that its file belongs to; KeyError where there is none."""
    found = [topic for topic, starts in TOPICS.items() if story.path.stem.startswith(starts)]
    if len(found) != 1:
        raise KeyError(f"{story.path.stem} belongs to {found or 'no topic'}; see TOPICS")
    return found[0]


def outcome(story: Scenario, peer: str) -> str:
    """same, otherwise or left out."""
    if why_not(story, peer) is not None:
        return "left out"
    return "same" if expected_to_differ(story, peer) is None else "otherwise"


def page() -> str:
    """docs/conformance.md."""
    told = stories()
    parts = [_HEAD, _numbers(told)]
    for peer, title in REFERENCES.items():
        parts += [f"\n## Where {title} does otherwise\n\n", _reasons(told, peer, "otherwise")]
        parts += [f"\nLeft out with {title}:\n\n", _left_out(told, peer)]
    parts += ["\nLeft out with this resolver behind sockets:\n\n", _left_out(told, "sockets")]
    return "".join(parts)


def _numbers(told: list[Scenario]) -> str:
    names = " | ".join(REFERENCES.values())
    rows = [(topic, [story for story in told if topic_of(story) == topic]) for topic in TOPICS]
    lines = [f"| topic | stories | this resolver | behind sockets | {names} |", "|---|---|---|---|---|---|"]
    lines += [_line(topic, some) for topic, some in (*rows, ("**all**", told))]
    return "\n".join(lines) + "\n"


def _line(title: str, told: list[Scenario]) -> str:
    sockets = Counter(outcome(story, "sockets") for story in told)
    cells = [title, str(len(told)), f"{len(told)} same", _counted(sockets)]
    cells += [_counted(Counter(outcome(story, peer) for story in told)) for peer in REFERENCES]
    return f"| {' | '.join(cells)} |"


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{found[word]} {word}" for word in ("same", "otherwise", "left out") if found[word])


def _reasons(told: list[Scenario], peer: str, wanted: str) -> str:
    lines = ["| story | what it says | what happens |", "|---|---|---|"]
    seen: dict[tuple[str, int, str], list[Scenario]] = {}
    for story in told:
        if outcome(story, peer) == wanted:
            seen.setdefault((story.path.stem, story.line, expected_to_differ(story, peer) or ""), []).append(story)
    for (stem, _, reason), group in seen.items():
        more = f" (and {len(group) - 1} like it)" if len(group) > 1 else ""
        lines.append(
            f"| [{stem}](../tests/scenarios/{group[0].path.name}) | {_cell(group[0].claim)}{more} | {_cell(reason)} |"
        )
    return "\n".join(lines) + "\n"


def _left_out(told: Iterable[Scenario], peer: str) -> str:
    found = Counter(why_not(story, peer) for story in told)
    found.pop(None, None)
    return "".join(f"* {number}: {reason}\n" for reason, number in sorted(found.items(), key=lambda each: str(each[0])))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
