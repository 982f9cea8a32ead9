"""Is the lean profile safe for a workload, and what would it save? From the names that the workload asked for. Pure.

A pod with the usual search list leaves traces of what its programs wrote: `web.data` in the namespace `shop` is asked
for as `web.data.shop.svc.D`, which does not exist, before `web.data.svc.D` is found. So for each name that was found,
the names that could have led to it are told apart by the steps before it; what is left over found it at the first
step, and that is the name without the pod's own namespace (or one with a final dot, which looks the same). Then each is
taken through the search list of the lean profile, `svc.D` and ndots 2, as glibc does it and as musl does, which does
not search at all for a name with ndots dots or more. What holds for only one of them is not "safe".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

USUAL_NDOTS: Final = 5
LEAN_NDOTS: Final = 2
ENOUGH: Final = 100
"""Questions seen of a workload, without which nothing is said of it."""
MOST_EVIDENCE: Final = 8


class Seen(NamedTuple):
    """A name that a workload asked for; `name` without the last dot, lower case."""

    name: str
    ended: str
    """As in `survey.Asked`."""
    queries: int
    """At most."""
    error: int = 0
    """By how much that may be too high."""


class Advice(NamedTuple):
    """What to say of one workload."""

    verdict: str
    """safe | unsafe | not enough seen"""
    evidence: tuple[str, ...]
    """Why it is not safe; the most important first."""
    questions: int
    """That were seen."""
    saved: int
    """Of them, those that would not be asked."""


class _Counts:
    """Of one name: at most and at least so often answered, and otherwise."""

    __slots__ = ("answered", "otherwise", "otherwise_at_most")

    def __init__(self) -> None:
        self.answered = self.otherwise = self.otherwise_at_most = 0


def steps(name: str, searches: Sequence[str], ndots: int) -> list[str]:
    """What a resolver library asks for, in order (resolv.conf(5))."""
    full = [f"{name}.{search}" for search in searches]
    return [*full, name] if name.count(".") < ndots else [name, *full]


def advise(
    seen: Iterable[Seen], namespace: str, domain: str, node_searches: Sequence[str] = (), *,
    enough: int = ENOUGH, mean_weight: float = 1.0,
) -> Advice:  # fmt: skip
    """What the questions of one workload say. `mean_weight`: replies that one of the sample stands for."""
    seen = list(seen)
    workload = _Workload(seen, namespace, domain, node_searches, mean_weight)
    workload.judge()
    questions = sum(each.queries for each in seen)
    if workload.broken:
        return Advice("unsafe", tuple(workload.broken[:MOST_EVIDENCE]), questions, workload.saved)
    if questions < enough:
        few = f"{questions} questions seen, {enough} are needed"
        return Advice("not enough seen", (few,), questions, workload.saved)
    return Advice("safe", (), questions, workload.saved)


class _Workload:
    """The names of one workload, and what becomes of them."""

    def __init__(
        self, seen: Iterable[Seen], namespace: str, domain: str, node_searches: Sequence[str], mean_weight: float
    ) -> None:
        self._own = f"{namespace}.svc.{domain}"
        self._usual = [self._own, f"svc.{domain}", domain, *node_searches]
        self._lean = [f"svc.{domain}"]
        self._mean_weight = mean_weight
        self._counts: dict[str, _Counts] = {}
        for each in seen:
            counts = self._counts.setdefault(each.name, _Counts())
            if each.ended == "answered":
                counts.answered += each.queries
            else:
                counts.otherwise += each.queries - each.error
            counts.otherwise_at_most += 0 if each.ended == "answered" else each.queries
        self.broken: list[str] = []
        self.saved = 0

    def judge(self) -> None:
        """Go through all names, those that were asked for most first."""
        names: Mapping[str, _Counts] = self._counts
        for name in sorted(names, key=lambda each: (-names[each].answered, each)):
            if names[name].answered:
                self._judge_found(name)
            elif name.endswith("." + self._own):
                self._judge_missing(name.removesuffix("." + self._own))

    def _judge_found(self, found: str) -> None:
        """A name that exists: who could have asked for it, and how."""
        left = self._counts[found].answered + self._counts[found].otherwise_at_most
        for written in self._written(found):
            usual = steps(written, self._usual, USUAL_NDOTS)
            place = usual.index(found)
            if place and all(self._is_missing(step) for step in usual[:place]):
                uses = min(self._began(usual[0]), left)
                if uses > 0:
                    left -= uses
                    self._judge_written(written, found, place, uses)
        if left > self._noise(found) and found.endswith("." + self._own):
            self._judge_written(found.removesuffix("." + self._own), found, 0, left)

    def _judge_written(self, written: str, found: str, place: int, uses: int) -> None:
        lean = steps(written, self._lean, LEAN_NDOTS)
        if found not in lean:
            how = f"{written!r} leads to {found} with the usual search list, and nowhere with the lean one"
            self.broken.append(how if place else f"{how} (unless it was asked for with a final dot)")
            return
        if found != written and written.count(".") >= LEAN_NDOTS:
            self.broken.append(
                f"{written!r} leads to {found}; with the lean search list it is asked for as it stands, outside the "
                "cluster, at first (glibc) or only (musl)"
            )
            return
        # What is left has one dot, or is found as it stands. A step before it was seen to lead nowhere: it is one of
        # those of the usual search list.
        self.saved += max(place - lean.index(found), 0) * uses

    def _judge_missing(self, written: str) -> None:
        """A name that leads nowhere costs every step of the search list."""
        usual = steps(written, self._usual, USUAL_NDOTS)
        if all(self._is_missing(step) for step in usual):
            self.saved += (len(usual) - len(self._lean) - 1) * max(self._began(usual[0]), 0)

    def _written(self, found: str) -> list[str]:
        """What a program may have written to be led there, but for the pod's own namespace left out."""
        ways = [found.removesuffix("." + search) for search in self._usual[1:] if found.endswith("." + search)]
        return [*ways, found]

    def _is_missing(self, name: str) -> bool:
        counts = self._counts.get(name)
        return counts is not None and not counts.answered and counts.otherwise_at_most > 0

    def _began(self, first: str) -> int:
        """How often a search began with this name, for certain: not when it was a later step of another search."""
        counts = self._counts.get(first)
        if counts is None:
            return 0
        later = 0
        for written in self._written(first):
            usual = steps(written, self._usual, USUAL_NDOTS)
            if usual[0] != first and usual[0] in self._counts:
                other = self._counts[usual[0]]
                later += other.otherwise_at_most
        return counts.otherwise - later

    def _noise(self, found: str) -> float:
        """How far two counts of a sample may lie apart by chance; where the sample is everything, not at all."""
        counts = self._counts[found]
        weight = self._mean_weight
        return 3 * ((counts.answered + counts.otherwise_at_most) * weight) ** 0.5 if weight > 1 else 0.0
