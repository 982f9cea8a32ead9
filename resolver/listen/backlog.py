"""Queries that wait for their turn when more come in than can be answered: a queue for each client, served in turns.

Otherwise they wait in the socket, in one queue that whoever sends most fills, and what finds it full is lost, whoever
sent it. Here a client that asks now and then is next in the next round, and what is too much is taken from whoever
has most waiting (longest queue drop; the oldest first, because who sent it is the first to stop waiting).
"""

from collections import deque

from resolver.listen.wildcard import Peer

LIMIT = 16384
"""Packets that wait, all clients together: about 5 MiB. It is more than the socket's queue holds (`sockets`), so that
what has come in while the process had no turn is answered: 10,000 queries and more, after a second."""

COUNTED = 1024
"""Clients whose packets are counted."""

Packet = tuple[bytes, Peer]


class Backlog:
    """`put` what was read, `pop` what to answer next."""

    def __init__(self) -> None:
        self.dropped_total = 0
        self._queues: dict[str, deque[Packet]] = {}
        self._turns: deque[str] = deque()
        """Clients with something that waits, in the order of their turns."""
        self._waiting = 0
        self._arrived: dict[str, int] = {}

    def __len__(self) -> int:
        return self._waiting

    def put(self, packet: bytes, peer: Peer) -> None:
        """Take in a packet."""
        client = peer[0]
        queue = self._queues.get(client)
        if queue is None:
            queue = self._queues[client] = deque()
            self._turns.append(client)
        queue.append((packet, peer))
        self._waiting += 1
        arrived = self._arrived
        if client in arrived:
            arrived[client] += 1
        elif len(arrived) < COUNTED:
            arrived[client] = 1

    def counted(self) -> dict[str, int]:
        """How many packets came in by client (of the first COUNTED clients) since the last call."""
        arrived, self._arrived = self._arrived, {}
        return arrived

    def trim(self) -> None:
        """Drop what is beyond the limit; called once for each batch, which is by how much it may be beyond."""
        while self._waiting > LIMIT:
            longest = max(self._queues.values(), key=len)
            for _ in range(min(self._waiting - LIMIT, len(longest) // 2 + 1)):
                longest.popleft()
                self._waiting -= 1
                self.dropped_total += 1
            # One that is empty now goes when its turn comes.

    def pop(self) -> Packet | None:
        """The next packet of the client whose turn it is; None: nothing waits."""
        turns, queues = self._turns, self._queues
        while turns:
            client = turns.popleft()
            queue = queues[client]
            if not queue:
                del queues[client]
                continue
            packet = queue.popleft()
            self._waiting -= 1
            if queue:
                turns.append(client)
            else:
                del queues[client]
            return packet
        return None
