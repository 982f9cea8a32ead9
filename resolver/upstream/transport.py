"""The seam between the lookups and the wire: what a transport (tcp, tls, udp) offers, and what it reports back."""

from enum import Enum
from typing import NamedTuple, Protocol


class Problem(Enum):
    """Why an attempt ended without an answer."""

    REFUSED = "connection refused"
    UNREACHABLE = "unreachable"
    """No route, no permission, no file descriptor: the kernel would not even try."""
    RESET = "connection closed before the answer"
    SILENT = "no answer in time"
    TLS = "TLS handshake failed"
    MALFORMED = "an answer that is no DNS message"
    BACKING_OFF = "waiting before the next connection"
    FULL = "too many queries in flight"


class Attempt(Protocol):
    """One try to get one question answered by one server; the transport calls exactly one of these, once, later.

    Neither is called after `Ticket.cancel()`, and neither from inside `Channel.send` itself.
    """

    def answered(self, packet: bytes) -> None:
        """A response whose ID and question match (`message.answer.is_answer_to`) and that came from the server."""

    def failed(self, problem: Problem) -> None:
        """There will be no answer to this try."""


class Ticket(Protocol):
    """A query under way."""

    def cancel(self) -> None:
        """Nobody waits for it any more. A late answer is dropped. Idempotent."""

    def silent(self) -> bool:
        """No answer came in the time of one try: the transport may draw conclusions about the connection. True: this is
        the oldest question on it, so others may be waiting for its answer.
        """

    def quiet(self) -> bool:
        """Whether nothing at all has arrived on its way since it was sent, or since this was last asked."""


class Channel(Protocol):
    """The ways to one server over one transport."""

    @property
    def waiting(self) -> int:
        """Questions that somebody waits for."""

    def send(self, query: bytes, question: bytes, attempt: Attempt, avoid: Ticket | None = None) -> Ticket:
        """Send `query` (without its two ID bytes) and match the response to `question` (wire form, lower case).

        `avoid`: a ticket of an earlier try for the same question, whose connection should not be used again.
        Never blocks, never raises: trouble is reported through `attempt.failed` in a later turn of the loop.
        """

    def close(self) -> None:
        """Finish: no new queries; connections close once their answers are in (or at once where there are none)."""

    def snapshot(self) -> "ChannelState":
        """Numbers for metrics and the cache page."""


class ChannelState(NamedTuple):
    """How a channel stands."""

    connections: int
    in_flight: int
    opened_total: int
    """Connections (UDP: sockets) ever opened."""
    ignored_total: int
    """Packets that answered nothing that was asked (wrong ID, question)."""
