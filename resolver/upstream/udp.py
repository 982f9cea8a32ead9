"""The channel to one server over UDP: a socket of its own, with a random port and ID, for every question (RFC 5452).

The socket is connected, so the kernel drops what others send and reports a closed port; it is closed as soon as its
question is answered, failed or cancelled. There is no timer here: whoever asked cancels the ticket.
"""

import socket
from asyncio import AbstractEventLoop

from resolver.config.values import Upstream
from resolver.message.answer import is_answer_to
from resolver.upstream.ids import QueryIds
from resolver.upstream.sockets import connect_datagrams
from resolver.upstream.transport import Attempt, ChannelState, Problem, Ticket
from resolver.upstream.trouble import Unsent, problem_of

# Each is a socket, and a question that nobody answers holds one until its time is up.
MAX_IN_FLIGHT = 512
# More than any server should send to someone who advertises 1,232 bytes; what is longer arrives cut off and unreadable.
RECEIVE_BYTES = 4096


class UdpChannel:
    """The questions under way to one server. Implements `transport.Channel`."""

    def __init__(self, upstream: Upstream, loop: AbstractEventLoop) -> None:
        self._upstream = upstream
        self._closed = False
        self._opened_total = 0
        self.loop = loop
        self.ids = QueryIds()
        self.in_flight = 0
        self.heard_total = 0
        """Answers, and what was told in their place."""
        self.ignored_total = 0

    @property
    def waiting(self) -> int:
        """See `transport.Channel.waiting`."""
        return self.in_flight

    def send(self, query: bytes, question: bytes, attempt: Attempt, avoid: Ticket | None = None) -> Ticket:
        """See `transport.Channel.send`. There is nothing to avoid: every question has a socket of its own."""
        if self._closed:
            return Unsent(self.loop, attempt, Problem.RESET)
        if self.in_flight >= MAX_IN_FLIGHT:
            return Unsent(self.loop, attempt, Problem.FULL)
        try:
            datagrams = connect_datagrams(self._upstream)
        except OSError as error:
            return Unsent(self.loop, attempt, problem_of(error))
        ticket = UdpQuery(self, datagrams, question, attempt)
        self._opened_total += 1
        try:
            datagrams.send(ticket.id + query)
        except OSError as error:
            ticket.cancel()
            return Unsent(self.loop, attempt, problem_of(error))
        return ticket

    def close(self) -> None:
        """See `transport.Channel.close`."""
        self._closed = True

    def snapshot(self) -> ChannelState:
        """See `transport.Channel.snapshot`."""
        return ChannelState(self.in_flight, self.in_flight, self._opened_total, self.ignored_total)


class UdpQuery:
    """A question and its socket. Implements `transport.Ticket`."""

    __slots__ = ("_attempt", "_channel", "_datagrams", "_question", "_seen", "id")

    def __init__(self, channel: UdpChannel, datagrams: socket.socket, question: bytes, attempt: Attempt) -> None:
        self._channel = channel
        self._datagrams = datagrams
        self._question = question
        self._attempt: Attempt | None = attempt
        self.id = channel.ids.take()
        self._seen = channel.heard_total
        channel.in_flight += 1
        channel.loop.add_reader(datagrams, self._readable)

    def cancel(self) -> None:
        if self._attempt is not None:
            self._finish()

    def silent(self) -> bool:
        """A lost datagram says nothing about the next one."""
        return False

    def quiet(self) -> bool:
        """See `transport.Ticket.quiet`: all questions to the server are of one way."""
        seen, self._seen = self._seen, self._channel.heard_total
        return seen == self._seen

    def _readable(self) -> None:
        """One datagram, or the ICMP message that took its place; the loop calls again while there are more."""
        self._channel.heard_total += 1
        try:
            packet = self._datagrams.recv(RECEIVE_BYTES)
        except BlockingIOError:  # a datagram with a wrong checksum wakes us up and is gone
            return
        except OSError as error:
            self._finish().failed(problem_of(error))
            return
        if packet[:2] == self.id and is_answer_to(packet, self._question):
            self._finish().answered(packet)
        else:
            self._channel.ignored_total += 1

    def _finish(self) -> Attempt:
        """Close the socket; gives the attempt, which is told once only."""
        attempt, self._attempt = self._attempt, None
        assert attempt is not None  # noqa: S101 - the reader is removed together with the attempt
        self._channel.in_flight -= 1
        self._channel.loop.remove_reader(self._datagrams)
        self._datagrams.close()
        return attempt
