"""One connection with many questions under way on it (RFC 7766 section 6.2.1.1), and the tickets of those questions.

Frames are gathered until the end of the loop's turn and written at once; answers are told apart by ID and question, in
whatever order they come. A question costs one object and a dict entry here: no task, no future, no timer. What depends
on time (age, idleness, limits of waiting) is looked at by the channel's housekeeping, through `tick`.
"""

from asyncio import AbstractEventLoop, BaseTransport, Transport
from collections import deque
from typing import Protocol as Interface
from typing import cast

from resolver.message.answer import is_answer_to
from resolver.message.framing import Frames
from resolver.upstream.ids import QueryIds
from resolver.upstream.transport import Attempt, Problem

# A cancelled question's ID is not given to another one while its answer may still be on its way.
LATE_ANSWER_SECONDS = 5.0
# How long a connection that gets no new questions may wait for its last answers.
DRAIN_SECONDS = 2.0
# A server that sends so much without answering anything is broken or hostile.
MAX_USELESS_BYTES = 1024 * 1024
# A message counts as so many at least: taking an empty one costs as much.
_USELESS_MESSAGE_BYTES = 512
# Answers that are handed out at a stretch, which takes 2 ms, when many have come at once.
TURN_ANSWERS = 64
# IDs in use, those of cancelled questions included: far below 65,536, so that a free one is found at once.
MAX_IDS = 16_384


class PendingQuery:
    """The ticket of a question on a connection. Implements `transport.Ticket`."""

    __slots__ = ("_seen", "attempt", "connection", "heard", "id", "question")

    def __init__(self, connection: "Connection", query_id: bytes, question: bytes, attempt: Attempt) -> None:
        self.connection = connection
        self.id = query_id
        self.question = question
        self.attempt: Attempt | None = attempt
        """None: answered, failed or cancelled."""
        self.heard = connection.reads
        """How often the connection had been heard of when this question was sent."""
        self._seen = self.heard

    def cancel(self) -> None:
        if self.attempt is not None:
            self.attempt = None
            self.connection.forget(self)

    def silent(self) -> bool:
        """The connection is not trusted any more, unless something arrived on it since this question was sent."""
        connection = self.connection
        if self.attempt is None:
            return False
        if connection.reads == self.heard:
            connection.suspect()
        # Questions that nobody waits for any more keep their place, as they do at the server.
        return connection.established and next(iter(connection.pending.values()), None) is self

    def quiet(self) -> bool:
        """See `transport.Ticket.quiet`."""
        seen, self._seen = self._seen, self.connection.reads
        return seen == self._seen


class Owner(Interface):
    """What a connection tells the channel that it belongs to."""

    def connection_opened(self, connection: "Connection") -> None:
        """Its connect succeeded; `connection.open` says whether new questions may be sent on it."""

    def connection_closed(self, connection: "Connection") -> None:
        """It is over; called before its attempts are told, so that they can send again at once."""


class Connection:
    """A connection from the start of its connect to its end.

    To the event loop it is an asyncio.Protocol; it has not that as its base, because then it could not be compiled.
    """

    __slots__ = (
        "_forgotten", "_frames", "_ids", "_loop", "_out", "_owner", "_transport", "_unread", "_used", "_useless_bytes",
        "closed", "deadline", "ignored", "open", "pending", "reads", "retire_at", "started_at", "suspected",
        "used_at", "waiting",
    )  # fmt: skip

    def __init__(self, owner: Owner, loop: AbstractEventLoop, ids: QueryIds, now: float) -> None:
        self._owner = owner
        self._loop = loop
        self._ids = ids
        self._transport: Transport | None = None
        self._frames = Frames()
        self._out: list[bytes] = []
        self._forgotten: deque[tuple[float, PendingQuery]] = deque()
        self._used = True
        self._useless_bytes = 0
        self.pending: dict[bytes, PendingQuery] = {}
        self.waiting = 0
        """Questions that somebody waits for."""
        self.reads = 0
        """How often something arrived."""
        self._unread: deque[bytes] = deque()
        """Messages that have arrived and wait for their turn."""
        self.ignored = 0
        """Messages that answered nothing."""
        self.open = False
        """Whether it takes new questions now."""
        self.closed = False
        self.suspected = False
        self.started_at = now
        self.used_at = now
        """When a question was last sent, to the precision of `tick`."""
        self.retire_at = float("inf")
        """When another connection should take over."""
        self.deadline: float | None = None
        """When it is closed at the latest; None: it is not being drained."""

    # -------------------------------------------------------------------------------------------- questions

    @property
    def connecting(self) -> bool:
        """Whether it may still become usable: questions may wait in it."""
        return self._transport is None and self.deadline is None and not self.closed

    @property
    def established(self) -> bool:
        """Whether the server has taken it."""
        return self._transport is not None

    def send(self, query: bytes, question: bytes, attempt: Attempt) -> PendingQuery:
        """Send `query`, given without its ID, in this turn of the loop or when the connection is made."""
        pending = self.pending
        query_id = self._ids.take()
        while query_id in pending:
            query_id = self._ids.take()
        ticket = pending[query_id] = PendingQuery(self, query_id, question, attempt)
        self.waiting += 1
        out = self._out
        if not out and self._transport is not None:
            self._loop.call_soon(self._flush)
        out += ((len(query) + 2).to_bytes(2, "big"), query_id, query)
        return ticket

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._used = True
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def forget(self, ticket: PendingQuery) -> None:
        """Nobody waits for this question any more. Its ID stays taken for a while."""
        self.waiting -= 1
        self._forgotten.append((self._loop.time() + LATE_ANSWER_SECONDS, ticket))
        if not self.waiting and self.deadline is not None:
            self._finish()

    # -------------------------------------------------------------------------------------------- its end

    def suspect(self) -> None:
        """It seems dead: no new questions, but an answer that comes all the same is welcome."""
        self.suspected = True
        self.drain()

    def drain(self) -> None:
        """Take no new questions and close when the answers are in, or after DRAIN_SECONDS."""
        self.open = False
        if self.deadline is None and not self.closed:
            self.deadline = self._loop.time() + DRAIN_SECONDS
            if not self.waiting:
                self._finish()

    def _finish(self) -> None:
        """Close a connection on which nobody waits."""
        if self._transport is None or self.suspected:
            self.abort(Problem.SILENT)
        else:
            self._flush()
            self._transport.close()

    def abort(self, problem: Problem = Problem.RESET) -> None:
        """Close without regard to what is unsent; while connecting, the attempts hear `problem` in the next turn."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()  # connection_lost follows
        elif not self.closed:
            self._loop.call_soon(self.fail, problem)

    def fail(self, problem: Problem) -> None:
        """It is over: tell the channel, then everyone who waits. Not to be called from inside `send`. Idempotent."""
        if self.closed:
            return
        if self._unread:  # what has arrived is worth more than the news that no more will
            unread = list(self._unread)
            self._unread.clear()
            self._take(unread)
        self.closed, self.open = True, False
        self._out.clear()
        self._owner.connection_closed(self)
        pending, self.pending, self.waiting = self.pending, {}, 0
        self._forgotten.clear()
        for ticket in pending.values():
            attempt, ticket.attempt = ticket.attempt, None
            if attempt is not None:
                attempt.failed(problem)

    def tick(self, now: float) -> None:
        """Housekeeping, about once a second."""
        if self._used:
            self._used, self.used_at = False, now
        forgotten = self._forgotten
        while forgotten and forgotten[0][0] <= now:
            _, ticket = forgotten.popleft()
            if self.pending.get(ticket.id) is ticket:
                del self.pending[ticket.id]
        if self.deadline is not None and now >= self.deadline:
            self.abort(Problem.SILENT)

    # -------------------------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        if self.closed:
            self._transport.abort()
            return
        self._flush()
        self.open = self.deadline is None
        self._owner.connection_opened(self)

    def pause_writing(self) -> None:
        """The server does not read: nothing more for it, until it does."""
        self.open = False

    def resume_writing(self) -> None:
        self.open = self.deadline is None

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        packets = self._frames.feed(data)
        if self._unread or len(packets) > TURN_ANSWERS:
            self._put_off(packets)
        else:
            self._take(packets)

    def _put_off(self, packets: list[bytes]) -> None:
        """Take them a few at a time: clients have their turns in between."""
        if not self._unread and self._transport is not None:
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)
        self._unread.extend(packets)

    def _go_on(self) -> None:
        unread = self._unread
        if self.closed:
            return
        self._take([unread.popleft() for _ in range(min(TURN_ANSWERS, len(unread)))])
        if unread:
            self._loop.call_soon(self._go_on)
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _take(self, packets: list[bytes]) -> None:
        """Hand answers to those who wait for them."""
        pending = self.pending
        matched = 0
        for packet in packets:
            query_id = packet[:2]
            ticket = pending.get(query_id)
            if ticket is None or not is_answer_to(packet, ticket.question):
                self.ignored += 1
                self._useless_bytes += max(len(packet), _USELESS_MESSAGE_BYTES)
                continue
            del pending[query_id]
            matched += 1
            attempt = ticket.attempt
            if attempt is not None:
                ticket.attempt = None
                self.waiting -= 1
                attempt.answered(packet)
        if matched:
            self._useless_bytes = 0
        elif self._useless_bytes > MAX_USELESS_BYTES:
            self._unread.clear()
            self.abort()
        if self.deadline is not None and not self.waiting:
            self._finish()

    def eof_received(self) -> None:
        """The server sends no more: the transport closes, and `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(Problem.RESET)
