"""Take over a changed configuration file while running; a bad one changes nothing and is said so, loudly.

A file that is right but cannot be taken over yet (an address that is not assigned, a port that is still in use) is
tried again until it can, or until the file changes.
"""

import asyncio
import logging
from collections.abc import Callable
from time import time  # noqa: TID251 - a point in time for people and dashboards, not a duration

from resolver.config import Config, ConfigError, load, restart_needed, without_effect
from resolver.ops.logs import event
from resolver.ops.watch import FileWatch

_log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Reload:
    """Watches resolver.yaml. `apply(new)` makes a valid configuration the running one, or raises and changes nothing:
    the old one stays in force, after an OSError (an address that cannot be bound) for now, after anything else until
    the file changes again.
    """

    def __init__(self, path: str, text: str, config: Config, apply: Callable[[Config], None]) -> None:
        self.config = config
        """The configuration in force."""
        self.successful = True
        """Whether the last change of the file was taken over."""
        self.succeeded_at = time()
        """When that last happened, in seconds since the epoch (a metric)."""
        self.results = {"success": 0, "failure": 0}
        self._path = path
        self._apply = apply
        self._retry: asyncio.TimerHandle | None = None
        self._watch = FileWatch(path, self._changed, self._unreadable, seen=text)

    def start(self) -> None:
        """Begin to watch."""
        self._watch.start()

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()
        self._forget_retry()

    def now(self) -> None:
        """Read the file at once (SIGHUP)."""
        self._watch.read_now()

    def _changed(self, text: str) -> None:
        self._forget_retry()
        try:
            config = load(text, self._path)
        except ConfigError as error:
            for problem in error.problems:
                self._failed(f"{self._path}: {problem}")
            self._count(successful=False)
            return
        self._take_over(config, None)

    def _take_over(self, config: Config, known_problem: str | None) -> None:
        try:
            self._apply(config)
        except OSError as error:
            problem = error.strerror or str(error)
            if problem != known_problem:
                self._failed(problem)
                self._count(successful=False)
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(RETRY_SECONDS, self._take_over, config, problem)
            return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the running configuration goes on
            self._failed(str(error))
            self._count(successful=False)
            return
        self._retry = None
        later = restart_needed(self.config, config)
        news = [key for key in without_effect(config) if key not in without_effect(self.config)]
        self.config = config
        self._count(successful=True)
        event(_log, logging.INFO, "configuration taken over", file=self._path)
        if later:
            keys = ", ".join(later)
            event(_log, logging.WARNING, "changed keys take effect after a restart", file=self._path, keys=keys)
        for key in news:
            event(_log, logging.WARNING, "a key has no effect", key=key.path, reason=key.message)

    def _forget_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _unreadable(self, reason: str) -> None:
        self._forget_retry()
        self._failed(f"{self._path}: {reason}")
        self._count(successful=False)

    def _failed(self, problem: str) -> None:
        event(_log, logging.ERROR, "configuration refused, the old one stays in force", problem=problem)

    def _count(self, *, successful: bool) -> None:
        self.successful = successful
        self.results["success" if successful else "failure"] += 1
        if successful:
            self.succeeded_at = time()
