"""The resolver on the lab's node as in production, and what happens to it: upgrades, failures, reloads, deaths.

It manages the interface and the conntrack rules, answers as nobody, and hands over. Each event is carried out to its
end and says when it began and ended, so that a load which runs meanwhile can say what it cost.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.lab.netns import Namespace
from tests.lab.nodeside import addresses
from tests.lab.resolver import PROGRAM, Configuration, Resolver, configuration
from tests.lab.topology import LOCAL
from tests.lab.waiting import wait_until

CANNOT_ANSWER = (
    "from resolver import service\n"
    "async def check(self): return 'no answer'\n"
    "service.Service.check = check\n"
    "import sys\n"
    "from resolver.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)
"""A version of the resolver whose self-check fails."""
LOOPBACK = {"127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Event:
    """When it began and when everything was as it should be again; monotonic seconds."""

    began: float
    ended: float


class Succession:
    """The resolver that runs at the moment, `current`, and the way to the next."""

    def __init__(
        self,
        place: Namespace,
        folder: Path,
        *,
        program: Sequence[str] = PROGRAM,
        measured: bool = True,
        **topics: dict[str, Any],
    ) -> None:
        self._node = place
        self._folder = folder
        self._program = program
        self._measured = measured
        self._made: list[Resolver] = []
        in_production = {
            "manageInterface": True,
            "notrack": True,
            "handoverSocket": str(folder / "handover"),
            "user": "nobody",
        }
        self._config: Configuration = configuration(**{"node": in_production, **topics})

    @property
    def current(self) -> Resolver:
        """The one that answers."""
        return self._made[-1]

    def start(self) -> Event:
        """The first, or one after all others have ended."""
        began = time.monotonic()
        self._made.append(self._next())
        self.current.start()
        self._wait_for("started")
        return Event(began, time.monotonic())

    def hand_over(self, *, contained: bool = False) -> Event:
        """To a new version, with the same configuration; until the old one is gone."""
        old, new, began = self.current, self._next(contained=contained), time.monotonic()
        self._made.append(new)
        new.succeed()
        if old.contained:  # its pod is deleted later
            wait_until(lambda: bool(old.events("waiting for the signal to stop")), "the word of the old one")
            os.kill(old.supervisor, signal.SIGTERM)
        wait_until(lambda: not old.process.running, "the end of the old one")
        ended = time.monotonic()
        assert old.process.wait() == 0
        return Event(began, ended)

    def fail_to_hand_over(self) -> Event:
        """To a version that cannot answer; until that has given up."""
        times, began = len(self.current.events("the hand-over has failed, going on")), time.monotonic()
        broken = self._next(program=(sys.executable, "-c", CANNOT_ANSWER))
        self._made.insert(0, broken)
        broken.process.start(lambda: True)
        assert broken.process.wait() == 1
        assert broken.events("the self-check has failed")
        self._wait_for("the hand-over has failed, going on", times + 1)
        return Event(began, time.monotonic())

    def reload(self, changed: Configuration) -> Event:
        """Take over a configuration, and the node with it."""
        times, began = len(self.current.events("configuration taken over")), time.monotonic()
        self._config = {**self._config, **changed}
        self.current.configure(self._config)
        self.current.hang_up()
        self._wait_for("configuration taken over", times + 1)
        wanted = set(self._config["listen"]["addresses"])
        wait_until(lambda: addresses(self._node, "lo") - LOOPBACK == wanted, f"{wanted} on the node")
        return Event(began, time.monotonic())

    def kill_worker(self) -> Event:
        """SIGKILL to the worker; until there is another one that has begun to answer."""
        # For moments there is another child, which looks after the node.
        wait_until(lambda: len(self.current.workers()) == 1, "the worker to be the only child")
        (worker,) = self.current.workers()
        times, began = len(self.current.events("listening")), time.monotonic()
        os.kill(worker, signal.SIGKILL)
        self._wait_for("listening", times + len(self._config["listen"]["addresses"]))
        assert worker not in self.current.workers()
        return Event(began, time.monotonic())

    def stop_worker(self, meanwhile: Callable[[], None]) -> Event:
        """The worker gets no turn (SIGSTOP) until `meanwhile` has returned, then goes on."""
        wait_until(lambda: len(self.current.workers()) == 1, "the worker to be the only child")
        (worker,) = self.current.workers()
        began = time.monotonic()
        os.kill(worker, signal.SIGSTOP)
        try:
            meanwhile()
        finally:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        return Event(began, time.monotonic())

    def lose_address(self) -> Event:
        """Somebody deletes the address by hand; until it is back."""
        began = time.monotonic()
        self._node.ip("address", "del", f"{LOCAL}/32", "dev", "lo")
        assert LOCAL not in addresses(self._node, "lo")
        wait_until(lambda: LOCAL in addresses(self._node, "lo"), "the address")
        return Event(began, time.monotonic())

    def restart(self) -> Event:
        """Without a hand-over: SIGTERM, and another one when it has ended."""
        began = time.monotonic()
        assert self.current.stop() == 0
        return Event(began, self.start().ended)

    def kill(self) -> None:
        """SIGKILL to everything."""
        self.current.process.kill()

    def end(self) -> None:
        """End everything that is left."""
        for resolver in self._made:
            resolver.process.kill()

    def _next(self, *, contained: bool = False, program: Sequence[str] | None = None) -> Resolver:
        folder = self._folder / f"version-{len(self._made)}"
        folder.mkdir()
        return Resolver(
            self._node,
            folder,
            self._config,
            measured=self._measured,
            program=program or self._program,
            contained=contained,
        )

    def _wait_for(self, event: str, times: int = 1) -> None:
        wait_until(partial(self._has, event, times), event)

    def _has(self, event: str, times: int) -> bool:
        return len(self.current.events(event)) >= times


@contextmanager
def succession(place: Namespace, folder: Path, **arguments: Any) -> Iterator[Succession]:
    """One that has started."""
    line = Succession(place, folder, **arguments)
    try:
        line.start()
        yield line
    finally:
        line.end()
