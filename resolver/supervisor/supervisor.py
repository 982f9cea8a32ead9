"""The parent: owns the sockets (and the node), starts the workers, and outlives them.

Everything that reads packets or speaks with servers is in the workers, which can be lost: whatever waits in the sockets
waits for their replacement. This process wakes up a few times per second and stays small: a tenth of a worker.
"""

import logging
import os
import signal
from typing import TYPE_CHECKING

from resolver import __version__
from resolver.events import event
from resolver.lean.numbers import name_of_signal
from resolver.listen.holdings import Holdings
from resolver.node.errors import NodeError
from resolver.nodestate import NodeState
from resolver.ops.logs import Logs
from resolver.ops.reload import TICK_SECONDS, Reading, Reload
from resolver.supervisor.assignment import Assignment, RunWorker
from resolver.supervisor.channel import Channel, Message
from resolver.supervisor.fleet import Fleet
from resolver.supervisor.identity import Identity, NoSuchUserError, identity
from resolver.supervisor.informing import Informing
from resolver.supervisor.keeper import Keeper
from resolver.supervisor.limits import allow_descriptors
from resolver.supervisor.loop import Loop
from resolver.supervisor.member import Member
from resolver.supervisor.settings import read_apart
from resolver.supervisor.telling import Telling

if TYPE_CHECKING:
    from resolver.supervisor.handover import Offer, Predecessor, Successors

_log = logging.getLogger(__name__)

CANNOT_START = 1
STOP_GRACE_SECONDS = 1.5
"""What the end of the workers may take beyond the longest `timeout` of a zone."""

_LISTEN_AGAIN_SECONDS = 2.0
_SUMS_BYTES = 4 * 1024 * 1024
"""What a worker may have kept for its replacement; a hundred workers need half of it."""


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
        self._sums = ""
        self._workers = config.listen.workers
        self._holdings = Holdings(
            self._workers, shared=bool(config.node.handover_socket), freebind=config.node.manage_interface
        )
        self._fleet = Fleet(self._loop, self._workers, self._assign, run_worker)
        self._telling = Telling(self._fleet, self._holdings, logs)
        self._reload = Reload(
            path,
            text,
            config,
            lambda changed: read_apart(changed, path),
            self._apply,
            lambda: self._telling.reloads(self._reload.state),
        )
        self._keeper = Keeper(self._loop, config, self._telling.node)
        self._successors = self._awaited(config.node.handover_socket)
        self._fleet.on_ready = self._answering
        self._fleet.on_failed = lambda: self._fail("a worker cannot begin")
        self._fleet.on_empty = self._loop.stop
        self._fleet.on_message = self._message
        self._fleet.on_replaced = self._telling.replaced
        self._fleet.on_fork = self._close_copies
        self._informing = Informing(self._loop, lambda: self._who, self._telling.cluster)
        self._informing.on_fork = self._close_all_copies

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, or until a successor does; the exit status."""
        # First: the first process of a container has no handlers but its own, so a signal would go unheard.
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, lambda number=number: self._stop(name_of_signal(number)))  # type: ignore[misc]
        self._loop.on_signal(signal.SIGCHLD, self._fleet.reap)
        allow_descriptors()
        try:
            self._who = identity(self._config.node.user)
            self._open()
            # Those for whom the predecessor has nothing learn it from the others.
            self._fleet.start(min(len(self._memories), self._workers) or self._workers)
            self._informing.follow(self._config)
            self._loop.run()
        except (_CannotStartError, NoSuchUserError) as error:
            event(_log, logging.ERROR, "cannot start", reason=str(error))
            self._status = CANNOT_START
        finally:
            self._fleet.kill()
            self._informing.stop()
            self._await_none(remove=True)
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
        if path:
            from resolver.supervisor.handover import find_predecessor  # noqa: PLC0415 - as in `_awaited`

            self._predecessor = find_predecessor(path)
        offer = self._predecessor.offer if self._predecessor is not None else None
        if offer is not None:
            self._holdings.take_over(offer.places, offer.admin, offer.admin_settings)
            self._memories = dict(enumerate(offer.memories[: self._workers]))
            for number in offer.memories[self._workers :]:
                os.close(number)

    def _assign(self, index: int, channel: Channel) -> Assignment:
        """A worker's own copies of what it needs."""
        memory = self._memories.pop(index, None)
        if memory is None:
            others = [member for member in self._fleet.present() if member.ready and member.index != index]
            memory = self._telling.memory_of(others[-1]) if others else None
        sockets = {place: [sock.dup() for sock in each] for place, each in self._holdings.of_worker(index).items()}
        admin = self._holdings.admin.dup() if index == 0 and self._holdings.admin is not None else None
        node = self._keeper.state if index == 0 else NodeState()
        return Assignment(
            index, self._workers, self._config, sockets, admin, channel, os.getpid(), self._who,
            self._reload.state.told(), node.to_json(), dict(self._fleet.replaced) if index == 0 else {},
            tuple(self._informing.known.values()), self._sums if index == 0 else "", memory, self._shares(),
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
            self._telling.serve()
            if not self._predecessor.relieve():
                self._keeper.leave()
                self._fail("the predecessor did not wait for so long, and goes on")
                return
            self._predecessor = None
        self._listen_for_successors()
        self._loop.on_signal(signal.SIGHUP, self._reload.now)
        self._loop.after(TICK_SECONDS, self._tick)
        event(_log, logging.INFO, "started", version=__version__, config=self._path)

    def _listen_for_successors(self, before: str = "") -> None:
        """Let a successor take over, now or as soon as it can; `before` is why it could not."""
        if self._ending or self._successors is None:
            return
        try:
            self._successors.listen()
        except OSError as error:
            reason = error.strerror or str(error)
            if reason != before:
                event(_log, logging.ERROR, "no successor can take over", reason=reason)
            self._loop.after(_LISTEN_AGAIN_SECONDS, lambda: self._listen_for_successors(reason))
            return
        if before:
            event(_log, logging.INFO, "a successor can take over")

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
        self._keeper.withdraw()  # workers answer meanwhile
        self._end(queued=not self._shares())

    def _relieved(self, understood: bool) -> None:  # noqa: FBT001 - one callback with one meaning
        """A successor answers."""
        self._await_none(remove=False)  # what is at that path is the successor's, or is about to be
        event(_log, logging.INFO, "a successor answers, leaving")
        self._keeper.leave()
        if os.getpid() == 1:
            # The end of a container's first process would have it started again, only to take over in its turn.
            self._fleet.on_empty = lambda: event(_log, logging.INFO, "waiting for the signal to stop")
        self._end(queued=not understood)

    def _end(self, *, queued: bool) -> None:
        """Have the workers finish. `queued`: with what waits in the sockets, which nobody else reads."""
        self._ending = True
        self._informing.stop()
        self._await_none(remove=True)
        # Our copies go first: what comes after a worker has closed its own is refused at once, not kept unread.
        self._holdings.close()
        seconds = max(zone.timeout_seconds for zone in self._config.zones) + STOP_GRACE_SECONDS
        self._fleet.stop(seconds, queued=queued)

    def _tick(self) -> None:
        if not self._ending:
            self._loop.after(TICK_SECONDS, self._tick)
            self._reload.tick()
            self._telling.changes()

    def _apply(self, reading: Reading) -> None:
        """Make a configuration the one in force; raises ListenError, and then nothing has changed."""
        if self._ending:
            return
        change = self._holdings.prepare(reading.config)
        self._holdings.commit(change)
        self._config = reading.config
        self._logs.reconfigure(reading.config.log)
        self._telling.configuration(reading, change, self._reload.state)
        self._keeper.follow(reading.config)
        self._informing.follow(reading.config)

    def _awaited(self, path: str) -> "Successors | None":
        if not path:
            return None
        from resolver.supervisor.handover import Successors  # noqa: PLC0415 - for whoever hands over, 0.1 MiB in all

        return Successors(self._loop, path, self._offer, self._relieved)

    def _await_none(self, *, remove: bool) -> None:
        if self._successors is not None:
            self._successors.close(remove=remove)

    def _offer(self) -> "Offer":
        """Everything that a successor needs to go on where we are."""
        from resolver.supervisor.handover import Offer  # noqa: PLC0415 - as in `_awaited`

        memories = [self._telling.memory_of(member) for member in self._fleet.present() if member.ready]
        return Offer(self._holdings.places, self._holdings.admin, self._config.admin, memories)

    def _close_copies(self) -> None:
        """In a worker's process: close what is the parent's."""
        self._holdings.close()
        if self._successors is not None:
            self._successors.close_copies()
        self._informing.close_copies()
        for number in self._memories.values():
            os.close(number)
        if self._predecessor is not None:
            self._predecessor.close()

    def _close_all_copies(self) -> None:
        """In the informer's process: the same, and the ways to the workers."""
        self._close_copies()
        self._fleet.close_copies()

    def _message(self, member: Member, message: Message, descriptors: list[int]) -> None:
        if message.get("is") == "applied" and member.index == 0:
            self._holdings.settle()
        if message.get("is") == "sums" and member.index == 0:
            sums = message.get("sums")
            self._sums = sums if isinstance(sums, str) and len(sums) <= _SUMS_BYTES else ""
        for number in descriptors:
            os.close(number)
