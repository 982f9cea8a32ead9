"""Answers that a change in the cluster has made untrue: forgotten at once, and not trusted again for a moment.

The cluster's DNS hears of a change when this node does, or a little later: what it says right after may still be the
old. So names that have changed lately are remembered for a second at most (`zone_for`), and forgotten again a few times
(`AGAIN_SECONDS`). Names are in wire form, lower case. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from resolver.cache.packets import Budget
from resolver.cache.store import Store
from resolver.config import Zone

AGAIN_SECONDS: Final = (0.25, 0.5, 1.0, 2.0)
"""After a change, when its names are forgotten again."""
SETTLED_SECONDS: Final = 5.0
"""After a change, from when on its answers are remembered as others are."""
BRIEF_SECONDS: Final = 1
"""Until then they are remembered for so long at most."""
MAX_CHANGED: Final = 8192
"""Names that are known to have changed lately; the oldest go."""
_STEP: Final = 500


class Freshness:
    """`now` is monotonic seconds."""

    def __init__(self, store: Store, ready: Budget) -> None:
        self._store, self._ready = store, ready
        self.changed_total = 0
        """Names that were told to have changed."""
        self.forgotten_total = 0
        """Answers that were forgotten for it."""
        self._changed: dict[bytes, float] = {}
        self._brief: dict[int, tuple[Zone, Zone]] = {}

    @property
    def pending(self) -> bool:
        """Whether anything has changed lately."""
        return bool(self._changed)

    def note(self, names: Iterable[bytes], now: float, starts: Iterable[bytes] = ()) -> None:
        """These have changed, and with them what search lists make of the `starts` (see `steps`)."""
        changed, until = self._changed, now + SETTLED_SECONDS
        for name in names:
            self.changed_total += 1
            changed.pop(name, None)
            changed[name] = until
        for start in starts:
            changed.pop(start, None)
            changed[start] = until
        while len(changed) > MAX_CHANGED or (changed and next(iter(changed.values())) <= now):
            del changed[next(iter(changed))]

    def forget(self, names: Iterable[bytes]) -> None:
        """Forget what is remembered of them, of all types."""
        self._gone(self._store.remove_names(names))

    def steps(self, starts: frozenset[bytes], domains: Sequence[bytes]) -> Callable[[], bool]:
        """Forget the names that search lists have made of these, a few at each call until it says False.

        `starts`: names in relation to the Services, without an end (`web.shop` for web.shop.svc.D). What a search list
        makes of web.shop begins with it and ends with one of the `domains`, or with `svc`.
        """
        keys = list(self._store.keys())
        ends = (*domains, b"\3svc\0")

        def step() -> bool:
            some = [keys.pop() for _ in range(min(_STEP, len(keys)))]
            gone = {key for key in some if key.endswith(ends, 0, -5) and _begins(key, starts)}
            self._gone([key for key in gone if self._store.remove(key)])
            return bool(keys)

        return step

    def zone_for(self, name: bytes, zone: Zone, now: float) -> Zone:
        """How an answer for this name is to be remembered now."""
        if now >= self._unsettled_until(name):
            return zone
        known = self._brief.get(id(zone))
        if known is None or known[0] is not zone:
            if len(self._brief) >= 64:  # zones of configurations that are gone
                self._brief.clear()
            brief = zone._replace(max_ttl=min(zone.max_ttl, BRIEF_SECONDS), max_nttl=min(zone.max_nttl, BRIEF_SECONDS))
            known = self._brief[id(zone)] = (zone, brief)
        return known[1]

    def _unsettled_until(self, name: bytes) -> float:
        """Of a name that has changed lately, or that begins with a start which has; 0: neither."""
        changed = self._changed
        until = changed.get(name, 0.0)
        at = 0
        while length := name[at]:
            at += length + 1
            until = max(until, changed.get(name[:at], 0.0))
        return until

    def _gone(self, keys: Sequence[bytes]) -> None:
        if keys:
            self.forgotten_total += len(keys)
            self._ready.forget(frozenset(keys))


def _begins(key: bytes, starts: frozenset[bytes]) -> bool:
    """Whether the name in a key begins, label by label, with one of these."""
    at = 0
    while length := key[at]:
        at += length + 1
        if key[:at] in starts:
            return True
    return False
