"""Take over a changed configuration file while running; a bad one changes nothing and is said so, loudly.

A file that is right but cannot be taken over yet (an address that is not assigned, a port that is still in use) is
tried again until it can, or until the file changes. No loop of its own: whoever owns it calls `tick` every second.
"""

import logging
from collections.abc import Callable
from time import time  # noqa: TID251 - a point in time for people and dashboards, not a duration
from typing import Any, NamedTuple

from resolver.config import Config, ConfigError, restart_needed
from resolver.events import event
from resolver.ops.watch import FileWatch

_log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
"""How often `tick` is to be called."""


class Reading(NamedTuple):
    """A file that was found right."""

    config: Config
    plain: Any
    """The same as plain values, for other processes; `resolver.config.plain.from_plain` makes a Config of it again."""


class ReloadState:
    """How taking over changed files has gone; workers show what their supervisor told them."""

    def __init__(self) -> None:
        self.successful = True
        """Whether the last change of the file was taken over."""
        self.succeeded_at = time()
        """When that last happened, in seconds since the epoch (a metric)."""
        self.results = {"success": 0, "failure": 0}

    def count(self, *, successful: bool) -> None:
        """Note one result."""
        self.successful = successful
        self.results["success" if successful else "failure"] += 1
        if successful:
            self.succeeded_at = time()

    def told(self) -> dict[str, Any]:
        """As plain values, for a message."""
        return {"successful": self.successful, "succeeded_at": self.succeeded_at, "results": dict(self.results)}

    def learn(self, told: dict[str, Any]) -> None:
        """Take over what another one told."""
        self.successful, self.succeeded_at = bool(told["successful"]), float(told["succeeded_at"])
        self.results = {str(result): int(number) for result, number in told["results"].items()}


class Reload:
    """Watches resolver.yaml. `read(text)` gives a configuration or raises ConfigError; `apply` makes it the one in
    force, or raises and changes nothing: the old one stays, after an OSError (an address that cannot be bound) for now,
    after anything else until the file changes again. `on_count` is called after each result.
    """

    def __init__(
        self,
        path: str,
        text: str,
        config: Config,
        read: Callable[[str], Reading],
        apply: Callable[[Reading], None],
        on_count: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        """The configuration in force."""
        self.state = ReloadState()
        self._path = path
        self._read = read
        self._apply = apply
        self._on_count = on_count
        self._again: tuple[Reading, str] | None = None
        """What is to be tried again, and why it could not be taken over the last time."""
        self._watch = FileWatch(path, self._changed, self._unreadable, seen=text)

    def tick(self) -> None:
        """Look at the file, and try again what could not be taken over."""
        again = self._again
        self._watch.poll()
        if again is not None and self._again is again:
            self._take_over(*again)

    def now(self) -> None:
        """Read the file at once (SIGHUP)."""
        self._watch.read_now()

    def _changed(self, text: str) -> None:
        self._again = None
        try:
            read = self._read(text)
        except ConfigError as error:
            for problem in error.problems:
                self._failed(f"{self._path}: {problem}")
            self._count(successful=False)
            return
        except OSError as error:  # it could not even be read: no memory, no processes
            self._failed(error.strerror or str(error))
            self._count(successful=False)
            return
        self._take_over(read, None)

    def _take_over(self, read: Reading, known_problem: str | None) -> None:
        try:
            self._apply(read)
        except OSError as error:
            problem = error.strerror or str(error)
            if problem != known_problem:
                self._failed(problem)
                self._count(successful=False)
            self._again = (read, problem)
            return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the running configuration goes on
            self._again = None
            self._failed(str(error))
            self._count(successful=False)
            return
        self._again = None
        config = read.config
        later = restart_needed(self.config, config)
        self.config = config
        self._count(successful=True)
        event(_log, logging.INFO, "configuration taken over", file=self._path)
        if later:
            keys = ", ".join(later)
            event(_log, logging.WARNING, "changed keys take effect after a restart", file=self._path, keys=keys)

    def _unreadable(self, reason: str) -> None:
        self._again = None
        self._failed(f"{self._path}: {reason}")
        self._count(successful=False)

    def _failed(self, problem: str) -> None:
        event(_log, logging.ERROR, "configuration refused, the old one stays in force", problem=problem)

    def _count(self, *, successful: bool) -> None:
        self.state.count(successful=successful)
        self._on_count()
