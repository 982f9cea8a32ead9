"""The clients' TCP connections on all addresses together: how many may be open, and what they may leave unread.

Listeners of one process share one object of this kind, so that the limits hold in total. When all places are taken,
the connection that has been idle longest makes room, whichever address it came in at; only where none is idle is a new
one refused.
"""

from collections import Counter
from enum import Enum

from resolver.listen.connection import Connection, TcpLimits


class Refusal(Enum):
    """Why a connection was closed before it could ask."""

    FULL = "too many connections"
    CLIENT_FULL = "too many connections of one client"
    CLOSING = "shutting down"
    GONE = "closed by the client at once"


class TcpClients:
    """What is counted of all connections."""

    def __init__(self, limits: TcpLimits | None = None) -> None:
        self.limits = limits or TcpLimits()
        self.stuck = 0
        """Connections whose clients do not read their replies."""
        self._connections: dict[Connection, None] = {}
        self._per_client: Counter[str] = Counter()

    @property
    def unsent_share(self) -> int:
        """The bytes that one connection may have unsent."""
        limits = self.limits
        return min(limits.unsent_bytes, limits.unsent_total_bytes // max(self.stuck, 1))

    def has_all(self, client: str) -> bool:
        """Whether a client has as many connections as it may have."""
        return self._per_client.get(client, 0) >= self.limits.connections_per_client

    def admit(self, connection: Connection) -> Refusal | None:
        """Why a new connection may not stay; None: it may, and is counted until `forget`."""
        if not connection.client:
            return Refusal.GONE
        if self.has_all(connection.client):
            return Refusal.CLIENT_FULL
        if len(self._connections) >= self.limits.connections and not self.make_room():
            return Refusal.FULL
        self._connections[connection] = None
        self._per_client[connection.client] += 1
        return None

    def forget(self, connection: Connection) -> None:
        """A connection that was admitted is closed, or as good as closed. Idempotent."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        self._per_client[connection.client] -= 1
        if not self._per_client[connection.client]:
            del self._per_client[connection.client]

    def make_room(self) -> bool:
        """End the connection that has been idle longest; False: none is idle."""
        idle = [connection for connection in self._connections if connection.idle]
        if not idle:
            return False
        min(idle, key=lambda connection: connection.active_at).evict()
        return True
