"""Services, or EndpointSlices, of the whole cluster, watched: the names that each change changes, told in batches.

`Kept` is the consumer of a `Reflector`; of every object it keeps its facts in a few hundred bytes. `Batches` gathers
names for a moment, so that a rollout is a few messages and not thousands.
"""

from collections.abc import Callable, Iterable, Iterator
from threading import Condition
from typing import Any, Final

from resolver.kubernetes.names import changed, pack
from resolver.kubernetes.slices import name_of

GATHER_SECONDS: Final = 0.05
"""How long names are gathered."""
MOST_NAMES: Final = 10_000
"""In one batch; where more change at once, all answers of the cluster's zones are forgotten."""
_MESSAGE_NAMES = 1000

Document = dict[str, Any]
Tell = Callable[[dict[str, Any]], None]


class Batches:
    """`add` names from any thread; `run` tells them, for ever, in one of its own."""

    def __init__(self, tell: Tell, wait: Callable[[float], None]) -> None:
        self._tell, self._wait = tell, wait
        self._names: set[str] = set()
        self._all = False
        self._some = Condition()

    def add(self, names: Iterable[str], *, all_of_them: bool = False) -> None:
        """These have changed; `all_of_them`: perhaps every name has."""
        with self._some:
            self._names.update(names)
            self._all = self._all or all_of_them
            if self._names or self._all:
                self._some.notify()

    def run(self) -> None:
        """Tell them."""
        while True:
            self.turn()

    def turn(self) -> None:
        """Wait for names, gather, and tell them."""
        with self._some:
            while not self._names and not self._all:
                self._some.wait()
        self._wait(GATHER_SECONDS)
        with self._some:
            names, self._names = sorted(self._names), set()
            everything, self._all = self._all or len(names) > MOST_NAMES, False
        if everything:
            self._tell({"is": "changed", "all": True, "names": []})
            return
        for at in range(0, len(names), _MESSAGE_NAMES):
            self._tell({"is": "changed", "all": False, "names": names[at : at + _MESSAGE_NAMES]})


class Kept:
    """See the module. `unknown`: what has changed before the first list is not known, so everything may have."""

    def __init__(
        self,
        what: str,
        facts: Callable[[Document], Iterable[str]],
        batches: Batches,
        trouble: Callable[[str, str], None] = lambda _what, _trouble: None,
        *,
        unknown: bool = False,
    ) -> None:
        self._what, self._facts, self._batches, self._trouble = what, facts, batches, trouble
        self._known: dict[str, bytes] | None = None
        self._unknown = unknown

    def listed(self, documents: Iterator[Document]) -> None:
        """See `reflector.Consumer`."""
        now = {name_of(document): pack(self._facts(document)) for document in documents}
        before, self._known = self._known, now
        if before is None:
            self._batches.add((), all_of_them=self._unknown)
            return
        for name in before.keys() | now.keys():
            self._batches.add(changed(before.get(name, b""), now.get(name, b"")))

    def changed(self, document: Document, *, gone: bool) -> None:
        """See `reflector.Consumer`."""
        known = self._known
        if known is None:
            return
        name = name_of(document)
        before = known.pop(name, b"")
        after = b"" if gone else pack(self._facts(document))
        if not gone:
            known[name] = after
        self._batches.add(changed(before, after))

    def watching(self, trouble: str) -> None:
        """See `reflector.Consumer`."""
        self._trouble(self._what, trouble)
