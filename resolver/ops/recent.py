"""The latest changes of state, as the log tells them, kept for the status page: a bounded list in memory.

Whoever looks at the page seldom has the log at hand, and its last lines mostly say why a figure is what it is. What
the log's level leaves out is not here either; the lines of the query log never are.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from resolver.lean.loggers import INFO, Recorded

MOST: Final = 32
"""Changes that are remembered."""
_CHARACTERS = 200
"""Of a field's value; a path or a reason fits."""

Change = dict[str, Any]
"""`at` (seconds since the epoch), `level`, `event` (the constant sentence) and `fields`, as JSON knows them."""


class Recent:
    """Notes what is logged at level info or above, but by the logger `left_out`."""

    def __init__(self, left_out: str, most: int = MOST) -> None:
        self._left_out = left_out
        self.total = 0
        """How many there ever were."""
        self._changes: deque[Change] = deque(maxlen=most)

    def note(self, record: Recorded) -> None:
        """Note it, if it counts. The query log passes by here, too."""
        if record.name == self._left_out or record.levelno < INFO:
            return
        fields = getattr(record, "fields", None)
        shown = fields if isinstance(fields, Mapping) else {}
        try:
            sentence = record.getMessage()
        except Exception:  # noqa: BLE001 - a call with wrong arguments, in whatever library; the log says more
            sentence = "a log line that cannot be written"
        self._changes.append(
            {
                "at": round(record.created, 3),
                "level": record.levelname.lower(),
                "event": sentence[:_CHARACTERS],
                "fields": {name: _short(value) for name, value in shown.items()},
            }
        )
        self.total += 1

    def changes(self) -> list[Change]:
        """Those that are remembered, the oldest first."""
        return list(self._changes)


def latest(*lists: Iterable[Change], most: int = MOST) -> list[Change]:
    """The latest of several lists, the newest first."""
    together = [change for changes in lists for change in changes]
    return sorted(together, key=lambda change: float(change["at"]), reverse=True)[:most]


def _short(value: object) -> object:
    return value[:_CHARACTERS] if isinstance(value, str) else value
