"""A worker: one process that answers, without any right that it does not need, told by its supervisor what to do.

From when it answers it beats from its event loop, and what beats is what answers.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import uvloop

from resolver import footprint
from resolver.config.plain import from_plain
from resolver.events import event
from resolver.listen.holdings import Place
from resolver.memory import Giving, Taking
from resolver.nodestate import NodeState
from resolver.ops import outofmemory
from resolver.ops.logs import Logs
from resolver.ops.requests import HttpProblem, Request, Response, find_handler
from resolver.service import Service
from resolver.supervisor.assignment import Assignment
from resolver.supervisor.channel import ChannelError, Message
from resolver.supervisor.inquiries import PATIENCE_SECONDS
from resolver.supervisor.member import BEAT_SECONDS
from resolver.supervisor.privileges import drop

if TYPE_CHECKING:
    from resolver.ops.sums import Answered

_log = logging.getLogger(__name__)


def run_worker(assignment: Assignment) -> int:
    """Work until the supervisor says that it is over; the exit status."""
    # Before there is any thread: capabilities, no_new_privs and Landlock are a thread's own, and one that was there
    # would keep what this one gives up. Until the log has its thread, lines are written as the supervisor does it.
    try:
        confined = drop(assignment.who, assignment.supervisor)
    except OSError as error:
        return _cannot_start(error)
    logs = Logs(assignment.config.log)
    logs.on_exception = outofmemory.leave_if_out_of_memory  # whatever is caught and lived with is logged
    logs.start()
    if assignment.who is not None and not confined:
        event(_log, logging.INFO, "no Landlock in this kernel: a worker can write where its user can")
    try:
        footprint.tune()
        return uvloop.run(Worker(assignment, logs).work())
    except OSError as error:
        return _cannot_start(error)
    except MemoryError:
        return outofmemory.STATUS
    finally:
        logs.close()
        sys.stderr.flush()


def _cannot_start(error: OSError) -> int:
    event(_log, logging.ERROR, "a worker cannot start", reason=str(error))
    return 1


class Worker:
    """See the module."""

    def __init__(self, assignment: Assignment, logs: Logs) -> None:
        self.index = assignment.number
        self.sums = assignment.sums
        self._assignment = assignment
        self._channel = assignment.channel
        self._logs = logs
        self._stopped: asyncio.Future[bool]
        self._asked: dict[int, asyncio.Future[list[list[Any]]]] = {}
        self._last_asked = 0
        self._giving: Giving | None = None
        self._taking: Taking | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def work(self) -> int:
        """The whole life of a worker."""
        given = self._assignment
        self._loop = asyncio.get_running_loop()
        outofmemory.watch(self._loop)
        self._stopped = self._loop.create_future()
        self._service = Service(given.config, self._logs, self if given.workers > 1 else None)
        self._service.reload.learn(given.reload)
        self._service.node = NodeState.from_json(given.node)
        self._service.replaced = given.replaced
        for told in given.cluster:
            self._service.informed(told)
        self._loop.add_reader(self._channel.sock, self._heard)
        taking = None if given.memory is None else self._take_over(given.memory, given.config.cache.size_bytes)
        if given.check:
            if taking is not None:
                await taking
            trouble = await self._service.check()
            if trouble:
                event(_log, logging.ERROR, "the self-check has failed", reason=trouble)
                return 1
        elif taking is not None:  # nobody answers meanwhile
            self._own(taking)
        await self._service.start(given.sockets, None if given.check else given.admin)
        self._say({"is": "ready"})
        footprint.settle()
        self._beat()
        queued = await self._stopped
        await self._service.close(queued=queued)
        if self._taking is not None:
            self._taking.close()
        if self._giving is not None:
            self._giving.finish()
        return 0

    async def ask(self, request: Request) -> "Sequence[Answered]":
        """What each of the other workers says to a request; never raises."""
        from resolver.ops.sums import Answered  # noqa: PLC0415 - for several workers

        self._last_asked += 1
        number = self._last_asked
        answers = self._asked[number] = self._loop.create_future()
        self._say({"is": "asking", "id": number, "request": [*request[:2], dict(request.query), request.peer]})
        try:
            return [Answered(*each) for each in await asyncio.wait_for(answers, 2 * PATIENCE_SECONDS)]
        except TimeoutError:
            return [Answered(index, 0, "no answer") for index in range(self._assignment.workers) if index != self.index]
        finally:
            self._asked.pop(number, None)

    def keep(self, sums: str) -> None:
        """Have the supervisor keep this for whoever comes into this worker's place."""
        self._say({"is": "sums", "sums": sums})

    def _beat(self) -> None:
        self._loop.call_later(BEAT_SECONDS, self._beat)
        self._say({"is": "beat"})

    def _say(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except ChannelError:
            self._orphaned()
            return
        if self._channel.blocked:
            self._loop.add_writer(self._channel.sock, self._room)

    def _room(self) -> None:
        self._loop.remove_writer(self._channel.sock)
        try:
            self._channel.flush()
        except ChannelError:
            self._orphaned()
            return
        if self._channel.blocked:
            self._loop.add_writer(self._channel.sock, self._room)

    def _heard(self) -> None:
        try:
            while (received := self._channel.receive()) is not None:
                self._told(*received)
        except ChannelError:
            self._orphaned()

    def _told(self, message: Message, descriptors: list[int]) -> None:
        match message["do"]:
            case "stop":
                self._stop(queued=message["queued"])
            case "serve":
                self._serve()
            case "apply":
                self._apply(message, descriptors)
            case "reloads" | "node" | "replaced" | "changes":
                self._learn(message)
            case "inform":
                self._service.informed(message["told"])
            case "remember":
                self._give(descriptors[0])
            case "ask":
                self._own(self._answer(message["id"], message["request"]))
            case "told":
                future = self._asked.get(message["id"])
                if future is not None and not future.done():
                    future.set_result(message["answers"])

    def _serve(self) -> None:
        """All workers answer: whoever asks the admin endpoints may hear of this one."""
        if self._assignment.admin is not None:
            self._own(self._service.serve(self._assignment.admin))

    def _stop(self, *, queued: bool) -> None:
        """Answer what was read, and (`queued`) what waits: then nobody else answers, and /ready says so."""
        if queued:
            self._service.drain()
        if not self._stopped.done():
            self._stopped.set_result(queued)

    def _give(self, memory: int) -> None:
        """Tell a successor what this worker remembers and learns."""
        if self._giving is not None:  # to one that has failed since
            self._giving.close()
        self._giving = Giving(self._service.resolver.engine, memory)

    async def _take_over(self, memory: int, most_bytes: int) -> None:
        """Know what a predecessor or a sibling knows, and go on learning from it for a while."""

        def learnt(answers: int) -> None:
            event(_log, logging.INFO, "the other one has told all", worker=self.index, answers=answers)

        self._taking = Taking(self._service.resolver.engine, memory, most_bytes, learnt)
        taken = await self._taking.up_to_date()
        event(_log, logging.INFO, "answers taken over", worker=self.index, answers=taken)

    def _learn(self, message: Message) -> None:
        """Know what the supervisor knows, to show it."""
        if "reloads" in message:
            self._service.reload.learn(message["reloads"])
        if "state" in message:
            self._service.node = NodeState.from_json(message["state"])
        if "replaced" in message:
            self._service.replaced = message["replaced"]
        if "changes" in message:
            self._service.changes = message["changes"]

    def _apply(self, message: Message, descriptors: list[int]) -> None:
        """Take over a configuration that the supervisor has found right and opened the sockets for."""
        config = from_plain(message["config"])
        sockets: dict[Place, list[socket.socket]] = {}
        admin = socket.socket(fileno=descriptors.pop()) if message["admin"] else None
        for (address, port), descriptor in zip(message["places"], descriptors, strict=True):
            sockets.setdefault((address, port), []).append(socket.socket(fileno=descriptor))
        moving = self._service.apply(config, sockets, admin)
        self._service.reload.learn(message["reloads"])
        if moving is None:
            self._say({"is": "applied"})
        else:
            moving.add_done_callback(lambda _: self._say({"is": "applied"}))

    async def _answer(self, number: int, asked: tuple[str, str, dict[str, str], str]) -> None:
        """Say what this worker alone says to a request."""
        request = Request(*asked)
        try:
            response = await find_handler(self._service.routes, request)(request)
        except HttpProblem as problem:
            response = problem.response
        except Exception:  # noqa: BLE001 - whatever is wrong, the one who asks gets an answer
            _log.exception("%s %s failed", request.method, request.path)
            response = Response(500, "this failed; the log has the reason")
        body = response.body if isinstance(response.body, str) else response.body.decode()
        self._say({"is": "answer", "id": number, "status": response.status, "body": body})

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work, name="work of this worker's own")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _orphaned(self) -> None:
        """Nobody would ever replace this one: end at once, as the kernel would have it."""
        os._exit(1)
