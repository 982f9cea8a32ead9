"""The parent: owns the sockets (and the node), starts the workers, and outlives them.

Everything that reads packets or speaks with servers is in the workers, which can be lost: whatever waits in the sockets
waits for their replacement. This process wakes up a few times per second and stays small: a tenth of a worker.
"""

import logging
import os
import signal

from resolver import __version__
from resolver.config import without_effect
from resolver.listen.holdings import Change, Holdings
from resolver.listen.sockets import ListenError
from resolver.ops.logs import Logs, event
from resolver.ops.reload import TICK_SECONDS, Reading, Reload
from resolver.supervisor.assignment import Assignment, RunWorker
from resolver.supervisor.channel import Channel, Message
from resolver.supervisor.fleet import Fleet
from resolver.supervisor.loop import Loop
from resolver.supervisor.member import Member
from resolver.supervisor.privileges import NoSuchUserError, identity
from resolver.supervisor.settings import read_apart

_log = logging.getLogger(__name__)

CANNOT_START = 1
STOP_GRACE_SECONDS = 1.5
"""What the end of the workers may take beyond the longest `timeout` of a zone."""


class Supervisor:
    """One `run` from start to end."""

    def __init__(self, path: str, text: str, reading: Reading, logs: Logs, run_worker: RunWorker) -> None:
        config = reading.config
        self._path = path
        self._logs = logs
        self._loop = Loop()
        self._status = 0
        self._stopping = False
        self._config = config
        workers = config.listen.workers
        self._holdings = Holdings(
            workers, shared=bool(config.node.handover_socket), freebind=config.node.manage_interface
        )
        self._reload = Reload(
            path, text, config, lambda changed: read_apart(changed, path), self._apply, self._tell_reloads
        )
        self._fleet = Fleet(self._loop, workers, self._assign, run_worker)
        self._fleet.on_ready = self._started
        self._fleet.on_failed = self._failed
        self._fleet.on_empty = self._loop.stop
        self._fleet.on_message = self._message
        self._fleet.on_fork = self._holdings.close  # a worker has copies, of its own only

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit status."""
        # First: the first process of a container has no handlers but its own, so a signal would go unheard.
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, lambda name=number.name: self._stop(name))  # type: ignore[misc]
        self._loop.on_signal(signal.SIGCHLD, self._fleet.reap)
        try:
            self._who = identity(self._config.node.user)
            self._holdings.commit(self._holdings.prepare(self._config))
        except (ListenError, NoSuchUserError) as error:
            event(_log, logging.ERROR, "cannot start", reason=str(error))
            self._loop.close()
            return CANNOT_START
        try:
            self._fleet.start()
            self._loop.run()
        finally:
            self._fleet.kill()
            self._holdings.close()
            self._loop.close()
        if not self._status:
            event(_log, logging.INFO, "stopped")
        return self._status

    def _assign(self, index: int, channel: Channel) -> Assignment:
        """A worker's own copies of what it needs."""
        sockets = {place: [sock.dup() for sock in each] for place, each in self._holdings.of_worker(index).items()}
        admin = self._holdings.admin.dup() if index == 0 and self._holdings.admin is not None else None
        return Assignment(
            index, self._config.listen.workers, self._config, sockets, admin, channel, os.getpid(), self._who,
            self._reload.state.told(), None,
        )  # fmt: skip

    def _started(self) -> None:
        self._loop.on_signal(signal.SIGHUP, self._reload.now)
        self._loop.after(TICK_SECONDS, self._tick)
        for key in without_effect(self._config):
            event(_log, logging.WARNING, "a key has no effect", key=key.path, reason=key.message)
        event(_log, logging.INFO, "started", version=__version__, config=self._path)

    def _failed(self) -> None:
        """A worker did not get as far as answering: so would every other."""
        self._status = CANNOT_START
        self._stopping = True
        event(_log, logging.ERROR, "cannot start", reason="a worker failed")
        self._fleet.stop(self._closing_seconds(), queued=True)

    def _stop(self, name: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        event(_log, logging.INFO, "stopping", signal=name)
        self._fleet.stop(self._closing_seconds(), queued=True)

    def _closing_seconds(self) -> float:
        return max(zone.timeout_seconds for zone in self._config.zones) + STOP_GRACE_SECONDS

    def _tick(self) -> None:
        if not self._stopping:
            self._loop.after(TICK_SECONDS, self._tick)
            self._reload.tick()

    def _apply(self, reading: Reading) -> None:
        """Make a configuration the one in force; raises ListenError, and then nothing has changed."""
        change = self._holdings.prepare(reading.config)
        self._holdings.commit(change)
        self._config = reading.config
        self._logs.reconfigure(reading.config.log)
        for member in self._fleet.present():
            self._pass_on(member, reading, change)

    def _pass_on(self, member: Member, reading: Reading, change: Change) -> None:
        places = []
        descriptors = []
        for place, sockets in self._holdings.of_worker(member.index, change.added).items():
            places += [place] * len(sockets)
            descriptors += [sock.fileno() for sock in sockets]
        admin = change.admin if member.index == 0 else None
        if admin is not None:
            descriptors.append(admin.fileno())
        self._fleet.tell(
            member,
            {
                "do": "apply",
                "config": reading.tree,
                "places": places,
                "admin": admin is not None,
                "reloads": self._reload.state.told(),
            },
            descriptors,
        )

    def _tell_reloads(self) -> None:
        for member in self._fleet.present():
            self._fleet.tell(member, {"do": "reloads", "reloads": self._reload.state.told()})

    def _message(self, member: Member, message: Message, descriptors: list[int]) -> None:
        if message.get("is") == "applied" and member.index == 0:
            self._holdings.settle()
        for number in descriptors:
            os.close(number)
