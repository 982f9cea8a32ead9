"""What all listeners together have seen. A listener that is closed stays in the sums: counters never go down."""

from collections import Counter
from typing import NamedTuple

from resolver.listen.tcp import TcpListener
from resolver.listen.udp import UdpListener

Listener = UdpListener | TcpListener


class Seen(NamedTuple):
    """Sums over listeners, by reason where there are reasons."""

    tcp_connections: int
    """Open now."""
    tcp_accepted: int
    tcp_refused: Counter[str]
    tcp_ended: Counter[str]
    udp_lost: Counter[str]
    udp_dropped: Counter[str]
    panics: int


class Census:
    """`add` a listener when it starts, `remove` it when it is closed."""

    def __init__(self) -> None:
        self._listeners: dict[Listener, None] = {}
        self._gone = Seen(0, 0, Counter(), Counter(), Counter(), Counter(), 0)

    def add(self, listener: Listener) -> None:
        """Count what this one sees."""
        self._listeners[listener] = None

    def remove(self, listener: Listener) -> None:
        """It sees nothing more; what it has seen still counts."""
        del self._listeners[listener]
        self._gone = _sum(self._gone, _seen_by(listener))

    def seen(self) -> Seen:
        """All until now."""
        total = self._gone
        for listener in self._listeners:
            total = _sum(total, _seen_by(listener))
        return total


def _seen_by(listener: Listener) -> Seen:
    panics = listener.guard.failures
    if isinstance(listener, UdpListener):
        return Seen(0, 0, Counter(), Counter(), Counter(listener.lost), Counter(listener.dropped), panics)
    refused = Counter({reason.name.lower(): number for reason, number in listener.refused.items()})
    refused.update({reason.lower(): number for reason, number in listener.accept_errors.items()})
    ended = Counter({reason.name.lower(): number for reason, number in listener.ended.items()})
    return Seen(listener.connections, listener.accepted_total, refused, ended, Counter(), Counter(), panics)


def _sum(one: Seen, other: Seen) -> Seen:
    """Counters are added with their zeros: a reason that never occurred is a number, too."""
    merged = [Counter(counts) for counts in one[2:6]]
    for counts, more in zip(merged, other[2:6], strict=True):
        counts.update(more)
    refused, ended, lost, dropped = merged
    return Seen(
        other.tcp_connections + one.tcp_connections, one.tcp_accepted + other.tcp_accepted,
        refused, ended, lost, dropped, one.panics + other.panics,
    )  # fmt: skip
