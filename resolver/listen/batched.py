"""The UDP listener on batched system calls: the same behaviour as `udp.UdpListener`, at 60 % of the CPU.

A batch of queries is read into slots; a reply that is known at once is written over its query, in place, where the ID
and the client's address already stand; then runs of slots leave in one call each. Queries that need a lookup leave a
gap between runs, and their replies go out together with those of the same turn of the loop.
"""

import asyncio
import errno
import socket
from time import monotonic

from resolver.engine import Engine
from resolver.listen.backlog import Backlog
from resolver.listen.mmsg import HEADER_WORDS, LENGTH_WORD, MESSAGES, Messages, client_of
from resolver.listen.udp import PACKET_BYTES, UdpListener
from resolver.listen.wildcard import Peer
from resolver.message import codes
from resolver.outcome import Pending, Reply, Via


class BatchedUdpListener(UdpListener):
    """For sockets that are bound to one address (`wildcard` explains the others). A Peer is (text, sockaddr)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via) -> None:
        super().__init__(loop, sock, engine, via)
        self._descriptor = sock.fileno()
        self._in = Messages(PACKET_BYTES)
        self._out = Messages(codes.EDNS_UDP_BYTES)
        self._out_count = 0

    def read_batch(self) -> int:
        """Read and handle up to BATCH packets; how many there were."""
        batch, engine = self._in, self._engine
        try:
            count = batch.receive(self._descriptor)
        except OSError as error:
            self._count(error)
            return 1
        if not count:
            return 0
        now = monotonic()
        ready_reply, restricted = self._ready.get, engine.restricted
        data, view, words, sizes = batch.data, batch.view, batch.words, batch.sizes
        hits = run = 0
        # The hot loop of the whole program: see `make bench`, work "cached", before changing a line.
        for index, start, after_id, length_at, size_at in batch.slots[:count]:
            ready = ready_reply(data[after_id : start + words[length_at]])
            if (
                ready is not None
                and (now < ready.until or engine.renew(ready, now))
                and not (restricted and not engine.allows(client_of(batch.name(index))))
            ):
                ready.tally[0] += 1
                hits += 1
                reply = ready.reply or ready.next()
                size = len(reply) + 2
                view[after_id : start + size] = reply
                sizes[size_at] = size
            elif not self._handle_slot(index, now):
                if run < index:
                    self._send_run(run, index)
                run = index + 1
        if run < count:
            self._send_run(run, count)
        if hits:
            engine.spent(hits, monotonic() - now)
        if count == MESSAGES and not self._closing_soon:
            self.overload.notice()
        return count

    def take(self, backlog: Backlog) -> bool:
        """Read a batch into the backlog; whether it was a full one."""
        batch = self._in
        try:
            count = batch.receive(self._descriptor)
        except OSError as error:
            self._count(error)
            return True
        data, words, put = batch.data, batch.words, backlog.put
        for index, start, _, length_at, _ in batch.slots[:count]:
            name = batch.name(index)
            put(data[start : start + words[length_at]], (client_of(name), name))
        return count == MESSAGES

    def _handle_slot(self, index: int, now: float) -> bool:
        """Handle a query that has no ready reply; whether its reply stands in the slot now."""
        batch = self._in
        start, length = batch.starts[index], batch.words[index * HEADER_WORDS + LENGTH_WORD]
        packet = batch.data[start : start + length]
        name = batch.name(index)
        client = client_of(name)
        outcome = self.guard.outcome(packet, client, now)
        if isinstance(outcome, Reply):
            reply = outcome.packet
            if len(reply) > batch.slot_bytes:
                self._send(reply, (client, name))
                return False
            batch.view[start : start + len(reply)] = reply
            batch.sizes[index * 2 + 1] = len(reply)
            return True
        if isinstance(outcome, Pending):
            self._wait_for(outcome, (client, name), now)
        return False

    def _send_run(self, first: int, end: int) -> None:
        for number in self._in.send(self._descriptor, first, end - first):
            self._count(OSError(number, ""))

    def _send(self, reply: bytes, peer: Peer) -> None:
        """Have a reply sent with the others of this turn of the loop."""
        if len(reply) > self._out.slot_bytes:  # the engine makes none; a listener must not depend on that
            self._count(OSError(errno.EMSGSIZE, ""))
            return
        if not self._out_count:
            self._loop.call_soon(self._flush)
        self._out.put(self._out_count, peer[1], reply)
        self._out_count += 1
        if self._out_count == MESSAGES:
            self._flush()

    def _flush(self) -> None:
        count, self._out_count = self._out_count, 0
        if count and self.sock.fileno() >= 0:
            for number in self._out.send(self._descriptor, 0, count):
                self._count(OSError(number, ""))

    def _close_socket(self) -> None:
        self._flush()
        super()._close_socket()
