"""The workers: started by a fork, told what changes, replaced when they die or stand still.

The sockets are the supervisor's, so what waits in them waits for the replacement. Workers are forked from this small
process, which has no threads and no event loop of asyncio's: they share its memory until either writes to it.
"""

import errno
import gc
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

from resolver.events import event
from resolver.lean.numbers import name_of_signal
from resolver.ops import outofmemory
from resolver.supervisor.assignment import Assignment, RunWorker
from resolver.supervisor.channel import Channel, ChannelError, Message, pair
from resolver.supervisor.inquiries import Inquiries
from resolver.supervisor.loop import Loop
from resolver.supervisor.member import BEAT_SECONDS, DIED, NOT_READY, OUT_OF_MEMORY, SILENT, Member
from resolver.supervisor.pace import Pace

_log = logging.getLogger(__name__)

_OWN_PAUSE_SECONDS: Final = 0.5
"""The supervisor itself did not run for so long (stopped, or a node without CPU): no worker is to blame for silence."""

_MESSAGES_PER_TURN: Final = 64
_NO_PROCESS_SECONDS: Final = 1.0
"""After so long a start is tried again for which there was no process, or no descriptor."""

Assign = Callable[[int, Channel], Assignment]


class Fleet:
    """`start`, then `tell` and `stop`. What it calls: `on_ready` when all have begun to answer for the first time,
    `on_failed` when one cannot even begin, `on_message` with what a worker says, `on_empty` when the last has ended,
    and, in a worker's process, `on_fork` to close what is not for it.
    """

    def __init__(self, loop: Loop, size: int, assign: Assign, run: RunWorker) -> None:
        self.members: list[Member | None] = [None] * size
        self.replaced: Counter[str] = Counter({DIED: 0, SILENT: 0, NOT_READY: 0, OUT_OF_MEMORY: 0})
        """Workers that were replaced, by reason; the usual ones from zero on, for whoever watches them rise."""
        self.on_ready: Callable[[], None] = lambda: None
        self.on_failed: Callable[[], None] = lambda: None
        self.on_empty: Callable[[], None] = lambda: None
        self.on_replaced: Callable[[], None] = lambda: None
        self.on_fork: Callable[[], None] = lambda: None
        self.on_message: Callable[[Member, Message, list[int]], None] = lambda _member, _message, _descriptors: None
        self._loop = loop
        self._assign = assign
        self._run = run
        self._paces = [Pace(monotonic()) for _ in range(size)]
        self._inquiries = Inquiries(self, loop)
        self._started = False
        self._stopping = False
        self._looked_at = monotonic()

    def start(self, first: int | None = None) -> None:
        """Start all; only the `first` so many at once, if that is said, and the others each when one more is ready."""
        for index in range(len(self.members) if first is None else first):
            self._start(index)
        self._loop.after(BEAT_SECONDS, self._look)

    def present(self) -> list[Member]:
        """Those that have a process."""
        return [member for member in self.members if member is not None]

    def tell(self, member: Member, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send to one worker; one that cannot be told is replaced."""
        try:
            member.channel.send(message, descriptors)
        except ChannelError:
            member.kill("does not listen")
            return
        self._want_room(member)

    def stop(self, seconds: float, *, queued: bool) -> None:
        """Have all end within so many seconds; `queued`: after answering what waits in the kernel."""
        self._stopping = True
        for member in self.present():
            member.leaving = True
            self.tell(member, {"do": "stop", "queued": queued})
        self._loop.after(seconds, self.kill)
        if not self.present():
            self.on_empty()

    def close_copies(self) -> None:
        """In another child's process: close what is the parent's."""
        for member in self.present():
            member.channel.close()

    def kill(self) -> None:
        """End those that are left at once."""
        self._stopping = True
        for member in self.present():
            member.kill("killed")

    def reap(self) -> None:
        """Collect processes that have ended (SIGCHLD), other people's too: this may be the first of a container."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for member in self.present():
                if member.pid == pid:
                    self._ended(member, status)

    def _start(self, index: int) -> None:
        """Start one; raises OSError where the system has no room for it."""
        mine, its = pair()
        assignment = None
        try:
            assignment = self._assign(index, its)
            gc.collect()
            gc.freeze()  # so that a collection in the worker does not write to (and so copy) what it shares with us
            pid = os.fork()
        except OSError:
            mine.close()
            raise
        else:
            if pid == 0:
                self._become(assignment, mine)
        finally:
            its.close()
            if assignment is not None:
                assignment.close()
        takes = assignment.memory is not None or assignment.check
        member = self.members[index] = Member(index, pid, mine, monotonic(), takes=takes)
        self._loop.watch(mine.sock.fileno(), lambda: self._heard(member))

    def _go_on(self) -> None:
        """One more is ready: start the next, or tell that all are."""
        if None in self.members and not self._stopping:
            try:
                self._start(self.members.index(None))
            except OSError as error:
                event(_log, logging.ERROR, "no worker can be started", reason=error.strerror or str(error))
                self.on_failed()
        elif all(each is not None and each.ready for each in self.members):
            self._started = True
            self.on_ready()

    def _become(self, assignment: Assignment, mine: Channel) -> None:
        """Be the worker, in its process, and never return."""
        status = 1
        try:
            self._loop.close()
            mine.close()
            self.on_fork()
            for other in self.present():
                other.channel.close()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # a whole process group may get them; the supervisor tells us
            status = self._run(assignment)
        except BaseException:
            logging.getLogger(__name__).exception("a worker failed")
        finally:
            os._exit(status)

    def _heard(self, member: Member) -> None:
        try:
            for _ in range(_MESSAGES_PER_TURN):  # whoever says more is not to keep us from the others
                received = member.channel.receive()
                if received is None:
                    return
                member.beat(monotonic())
                self._message(member, *received)
        except ChannelError as error:
            self._loop.forget(member.channel.sock.fileno())
            member.kill(DIED if error.errno == errno.EPIPE else f"channel: {error}")

    def _message(self, member: Member, message: dict[str, Any], descriptors: list[int]) -> None:
        match message.get("is"):
            case "beat":
                pass
            case "ready":
                member.ready = True
                if not self._started:
                    self._go_on()
            case "asking":
                self._inquiries.begin(member, message)
            case "answer":
                self._inquiries.answered(member, message)
            case _:
                self.on_message(member, message, descriptors)
                return
        for number in descriptors:
            os.close(number)

    def _ended(self, member: Member, status: int) -> None:
        self.members[member.index] = None
        self._loop.forget(member.channel.sock.fileno())
        member.channel.close()
        self._inquiries.gone(member)
        if self._stopping:
            if not self.present():
                self.on_empty()
            return
        code = os.waitstatus_to_exitcode(status)
        how = name_of_signal(-code) if code < 0 else f"status {code}"
        if code == outofmemory.STATUS and member.reason == DIED:
            member.reason = OUT_OF_MEMORY
        if not self._started:
            event(_log, logging.ERROR, "a worker cannot start", worker=member.index, reason=member.reason, how=how)
            self.on_failed()
            return
        self.replaced[member.reason] += 1
        pause = self._paces[member.index].pause_seconds(monotonic(), served=member.ready)
        event(
            _log, logging.ERROR, "worker replaced", worker=member.index, reason=member.reason, how=how,
            pauseSeconds=pause,
        )  # fmt: skip
        if pause:
            self._loop.after(pause, lambda: self._restart(member.index))
        else:
            self._restart(member.index)
        self.on_replaced()

    def _restart(self, index: int) -> None:
        if self._stopping or self.members[index] is not None:
            return
        try:
            self._start(index)
        except OSError as error:
            event(_log, logging.ERROR, "no worker can be started", reason=error.strerror or str(error))
            self._loop.after(_NO_PROCESS_SECONDS, lambda: self._restart(index))

    def _look(self) -> None:
        """Find those that stand still, and those that never begin."""
        self._loop.after(BEAT_SECONDS, self._look)
        now = monotonic()
        if now - self._looked_at > _OWN_PAUSE_SECONDS:
            for member in self.present():
                member.beat(now)
        self._looked_at = now
        for member in self.present():
            if not member.leaving and member.is_lost(now):
                member.kill(SILENT if member.ready else NOT_READY)

    def _want_room(self, member: Member) -> None:
        descriptor = member.channel.sock.fileno()
        self._loop.watch_room(descriptor, (lambda: self._room(member)) if member.channel.blocked else None)

    def _room(self, member: Member) -> None:
        try:
            member.channel.flush()
        except ChannelError:
            member.kill("does not listen")
        self._want_room(member)
