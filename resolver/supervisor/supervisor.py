"""The parent: owns the sockets (and the node), starts the workers, and outlives them.

Everything that reads packets or speaks with servers is in the workers, which can be lost: whatever waits in the sockets
waits for their replacement. This process wakes up a few times per second and stays small: a tenth of a worker.
"""

import logging
import os
import signal

from resolver import __version__
from resolver.listen.holdings import Change, Holdings
from resolver.node.errors import NodeError
from resolver.nodestate import NodeState
from resolver.ops.logs import Logs, event
from resolver.ops.reload import TICK_SECONDS, Reading, Reload
from resolver.supervisor.assignment import Assignment, RunWorker
from resolver.supervisor.channel import Channel, Message
from resolver.supervisor.fleet import Fleet
from resolver.supervisor.handover import Offer, Predecessor, Successors, find_predecessor
from resolver.supervisor.identity import Identity, NoSuchUserError, identity
from resolver.supervisor.keeper import Keeper
from resolver.supervisor.limits import allow_descriptors
from resolver.supervisor.loop import Loop
from resolver.supervisor.member import Member
from resolver.supervisor.settings import read_apart

_log = logging.getLogger(__name__)

CANNOT_START = 1
STOP_GRACE_SECONDS = 1.5
"""What the end of the workers may take beyond the longest `timeout` of a zone."""


class _CannotStartError(Exception):
    """Something is not there that this process cannot do without."""


class Supervisor:
    """One `run` from start to end."""

    def __init__(self, path: str, text: str, reading: Reading, logs: Logs, run_worker: RunWorker) -> None:
        self._config = config = reading.config
        self._path = path
        self._logs = logs
        self._loop = Loop()
        self._status = 0
        self._ending = False
        self._who: Identity | None = None
        self._predecessor: Predecessor | None = None
        self._memories: dict[int, int] = {}
        self._workers = config.listen.workers
        self._holdings = Holdings(
            self._workers, shared=bool(config.node.handover_socket), freebind=config.node.manage_interface
        )
        self._reload = Reload(
            path, text, config, lambda changed: read_apart(changed, path), self._apply, self._tell_reloads
        )
        self._keeper = Keeper(self._loop, config, self._tell_node)
        self._successors = Successors(self._loop, config.node.handover_socket, self._offer, self._relieved)
        self._fleet = Fleet(self._loop, self._workers, self._assign, run_worker)
        self._fleet.on_ready = self._answering
        self._fleet.on_failed = lambda: self._fail("a worker cannot begin")
        self._fleet.on_empty = self._loop.stop
        self._fleet.on_message = self._message
        self._fleet.on_replaced = self._tell_replaced
        self._fleet.on_fork = self._close_copies

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, or until a successor does; the exit status."""
        # First: the first process of a container has no handlers but its own, so a signal would go unheard.
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, lambda name=number.name: self._stop(name))  # type: ignore[misc]
        self._loop.on_signal(signal.SIGCHLD, self._fleet.reap)
        allow_descriptors()
        try:
            self._who = identity(self._config.node.user)
            self._open()
            self._fleet.start()
            self._loop.run()
        except (_CannotStartError, NoSuchUserError) as error:
            event(_log, logging.ERROR, "cannot start", reason=str(error))
            self._status = CANNOT_START
        finally:
            self._fleet.kill()
            self._successors.close(remove=True)
            self._keeper.tear_down()
            self._holdings.close()
            self._loop.close()
        if not self._status:
            event(_log, logging.INFO, "stopped")
        return self._status

    def _open(self) -> None:
        """Have sockets, a predecessor's where there is one."""
        try:
            self._take_over()
            self._holdings.commit(self._holdings.prepare(self._config))
        except OSError as error:
            raise _CannotStartError(error.strerror or str(error)) from None

    def _take_over(self) -> None:
        """Begin with what a predecessor has, if there is one."""
        path = self._config.node.handover_socket
        self._predecessor = find_predecessor(path) if path else None
        offer = self._predecessor.offer if self._predecessor is not None else None
        if offer is not None:
            self._holdings.take_over(offer.places, offer.admin, offer.admin_settings)
            self._memories = dict(enumerate(offer.memories[: self._workers]))
            for number in offer.memories[self._workers :]:
                os.close(number)

    def _assign(self, index: int, channel: Channel) -> Assignment:
        """A worker's own copies of what it needs."""
        sockets = {place: [sock.dup() for sock in each] for place, each in self._holdings.of_worker(index).items()}
        admin = self._holdings.admin.dup() if index == 0 and self._holdings.admin is not None else None
        node = self._keeper.state if index == 0 else NodeState()
        return Assignment(
            index, self._workers, self._config, sockets, admin, channel, os.getpid(), self._who,
            self._reload.state.told(), node.to_json(), dict(self._fleet.replaced) if index == 0 else {},
            self._memories.pop(index, None), self._shares(),
        )  # fmt: skip

    def _shares(self) -> bool:
        """Whether somebody else reads the same sockets: then what waits in them is not ours to answer at the end."""
        return self._predecessor is not None and self._predecessor.offer is not None

    def _answering(self) -> None:
        """All workers answer: now the node may send questions here, and a predecessor may go."""
        try:
            self._keeper.set_up()
        except NodeError as error:
            self._fail(str(error))
            return
        if self._predecessor is not None:
            if not self._predecessor.relieve():
                self._keeper.leave()
                self._fail("the predecessor did not wait for so long, and goes on")
                return
            self._predecessor = None
        if self._config.node.handover_socket:
            try:
                self._successors.listen()
            except OSError as error:
                event(_log, logging.ERROR, "no successor can take over", reason=error.strerror or str(error))
        self._loop.on_signal(signal.SIGHUP, self._reload.now)
        self._loop.after(TICK_SECONDS, self._tick)
        event(_log, logging.INFO, "started", version=__version__, config=self._path)

    def _fail(self, reason: str) -> None:
        """Give the start up; a predecessor goes on."""
        if self._ending:
            return
        self._status = CANNOT_START
        event(_log, logging.ERROR, "cannot start", reason=reason)
        self._end(queued=not self._shares())
        if self._predecessor is not None:
            self._predecessor.close()

    def _stop(self, name: str) -> None:
        if self._ending:
            if not self._fleet.present():  # it has been waiting for this
                self._loop.stop()
            return
        event(_log, logging.INFO, "stopping", signal=name)
        self._end(queued=not self._shares())

    def _relieved(self, understood: bool) -> None:  # noqa: FBT001 - one callback with one meaning
        """A successor answers."""
        self._successors.close(remove=False)  # what is at that path is the successor's, or is about to be
        event(_log, logging.INFO, "a successor answers, leaving")
        self._keeper.leave()
        if os.getpid() == 1:
            # The end of a container's first process would have it started again, only to take over in its turn.
            self._fleet.on_empty = lambda: event(_log, logging.INFO, "waiting for the signal to stop")
        self._end(queued=not understood)

    def _end(self, *, queued: bool) -> None:
        """Have the workers finish. `queued`: with what waits in the sockets, which nobody else reads."""
        self._ending = True
        self._successors.close(remove=True)
        # Our copies go first: what comes after a worker has closed its own is refused at once, not kept unread.
        self._holdings.close()
        seconds = max(zone.timeout_seconds for zone in self._config.zones) + STOP_GRACE_SECONDS
        self._fleet.stop(seconds, queued=queued)

    def _tick(self) -> None:
        if not self._ending:
            self._loop.after(TICK_SECONDS, self._tick)
            self._reload.tick()

    def _apply(self, reading: Reading) -> None:
        """Make a configuration the one in force; raises ListenError, and then nothing has changed."""
        if self._ending:
            return
        change = self._holdings.prepare(reading.config)
        self._holdings.commit(change)
        self._config = reading.config
        self._logs.reconfigure(reading.config.log)
        for member in self._fleet.present():
            self._pass_on(member, reading, change)
        self._keeper.follow(reading.config)

    def _offer(self) -> Offer:
        """Everything that a successor needs to go on where we are."""
        memories = []
        for member in self._fleet.present():
            if member.ready:
                mine, its = os.pipe()
                self._fleet.tell(member, {"do": "remember"}, [its])
                os.close(its)
                memories.append(mine)
        return Offer(self._holdings.places, self._holdings.admin, self._config.admin, memories)

    def _close_copies(self) -> None:
        """In a worker's process: close what is the parent's."""
        self._holdings.close()
        self._successors.close_copies()
        for number in self._memories.values():
            os.close(number)
        if self._predecessor is not None:
            self._predecessor.close()

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
                "config": reading.plain,
                "places": places,
                "admin": admin is not None,
                "reloads": self._reload.state.told(),
            },
            descriptors,
        )

    def _tell_reloads(self) -> None:
        for member in self._fleet.present():
            self._fleet.tell(member, {"do": "reloads", "reloads": self._reload.state.told()})

    def _tell_replaced(self) -> None:
        member = self._fleet.members[0]
        if member is not None:
            self._fleet.tell(member, {"do": "replaced", "replaced": self._fleet.replaced})

    def _tell_node(self, state: NodeState) -> None:
        member = self._fleet.members[0]
        if member is not None:
            self._fleet.tell(member, {"do": "node", "state": state.to_json()})

    def _message(self, member: Member, message: Message, descriptors: list[int]) -> None:
        if message.get("is") == "applied" and member.index == 0:
            self._holdings.settle()
        for number in descriptors:
            os.close(number)
