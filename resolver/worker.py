"""A worker: one process that answers, without any right that it does not need, told by its supervisor what to do.

From when it answers it beats from its event loop, and what beats is what answers.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import uvloop

from resolver.config.plain import from_plain
from resolver.listen.holdings import Place
from resolver.memory import Giving, take
from resolver.nodestate import NodeState
from resolver.ops.logs import Logs, event
from resolver.ops.requests import HttpProblem, Request, Response, find_handler
from resolver.ops.together import Answered
from resolver.service import Service, tune_process
from resolver.supervisor.assignment import Assignment
from resolver.supervisor.channel import ChannelError, Message
from resolver.supervisor.inquiries import PATIENCE_SECONDS
from resolver.supervisor.member import BEAT_SECONDS
from resolver.supervisor.privileges import drop

_log = logging.getLogger(__name__)


def run_worker(assignment: Assignment) -> int:
    """Work until the supervisor says that it is over; the exit status."""
    logs = Logs(assignment.config.log)
    logs.start()
    try:
        drop(assignment.who, assignment.supervisor)
        tune_process()
        return uvloop.run(Worker(assignment, logs).work())
    except OSError as error:
        event(_log, logging.ERROR, "a worker cannot start", reason=str(error))
        return 1
    finally:
        logs.close()
        sys.stderr.flush()


class Worker:
    """See the module."""

    def __init__(self, assignment: Assignment, logs: Logs) -> None:
        self.index = assignment.number
        self._assignment = assignment
        self._channel = assignment.channel
        self._logs = logs
        self._stopped: asyncio.Future[bool]
        self._asked: dict[int, asyncio.Future[list[Answered]]] = {}
        self._last_asked = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def work(self) -> int:
        """The whole life of a worker."""
        given = self._assignment
        self._loop = asyncio.get_running_loop()
        self._stopped = self._loop.create_future()
        self._service = Service(given.config, self._logs, self if given.workers > 1 else None)
        self._service.reload.learn(given.reload)
        self._service.node = NodeState.from_json(given.node)
        self._service.replaced = given.replaced
        self._loop.add_reader(self._channel.sock, self._heard)
        if given.memory is not None:
            taken = await take(self._service.resolver.engine, given.memory, given.config.cache.size_bytes)
            event(_log, logging.INFO, "answers taken over", worker=self.index, answers=taken)
        if given.check:
            trouble = await self._service.check()
            if trouble:
                event(_log, logging.ERROR, "the self-check has failed", reason=trouble)
                return 1
        await self._service.start(given.sockets, given.admin)
        self._say({"is": "ready"})
        self._beat()
        queued = await self._stopped
        await self._service.close(queued=queued)
        return 0

    async def ask(self, request: Request) -> Sequence[Answered]:
        """What each of the other workers says to a request; never raises."""
        self._last_asked += 1
        number = self._last_asked
        answers = self._asked[number] = self._loop.create_future()
        self._say({"is": "asking", "id": number, "request": [*request[:2], dict(request.query), request.peer]})
        try:
            return await asyncio.wait_for(answers, 2 * PATIENCE_SECONDS)
        except TimeoutError:
            return [Answered(index, 0, "no answer") for index in range(self._assignment.workers) if index != self.index]
        finally:
            self._asked.pop(number, None)

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
                self._service.drain()
                if not self._stopped.done():
                    self._stopped.set_result(bool(message["queued"]))
            case "apply":
                self._apply(message, descriptors)
            case "reloads" | "node" | "replaced":
                self._learn(message)
            case "remember":
                Giving(self._service.resolver.engine, descriptors[0])
            case "ask":
                self._own(self._answer(message["id"], message["request"]))
            case "told":
                future = self._asked.get(message["id"])
                if future is not None and not future.done():
                    future.set_result([Answered(*each) for each in message["answers"]])

    def _learn(self, message: Message) -> None:
        """Know what the supervisor knows, to show it."""
        if "reloads" in message:
            self._service.reload.learn(message["reloads"])
        if "state" in message:
            self._service.node = NodeState.from_json(message["state"])
        if "replaced" in message:
            self._service.replaced = message["replaced"]

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
        task = self._loop.create_task(work, name="answer for this worker")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _orphaned(self) -> None:
        """Nobody would ever replace this one: end at once, as the kernel would have it."""
        os._exit(1)
