"""UDP listeners that tell a survey of a sample of their replies; used only where `admin.top` is on.

One reply of a batch that was answered at once stands for the whole batch, looked at when the batch has been sent: the
loop over its packets is the same as without a survey. Where there are many batches it stands for several (`pace`). The
same goes for the replies that had to be looked up, which are counted by themselves.
"""

import asyncio
import socket
from random import random
from time import monotonic

from resolver.engine import Engine
from resolver.listen.batched import BatchedUdpListener
from resolver.listen.mmsg import client_of
from resolver.listen.udp import UdpListener
from resolver.listen.wildcard import Peer
from resolver.outcome import Via
from resolver.survey.pace import Pace
from resolver.survey.survey import Survey


class SampledUdpListener(UdpListener):
    """See `udp.UdpListener`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via, survey: Survey
    ) -> None:
        super().__init__(loop, sock, engine, via)
        self._survey = survey
        self._single = Pace(monotonic, random)

    def _send(self, reply: bytes, peer: Peer) -> None:
        if weight := self._single.due(1):
            self._survey.saw(peer[0], reply, weight)
        super()._send(reply, peer)


class SampledBatchedListener(BatchedUdpListener):
    """See `batched.BatchedUdpListener`. Not of the class above as well: compiled classes have one base."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via, survey: Survey
    ) -> None:
        super().__init__(loop, sock, engine, via)
        self._survey = survey
        self._single = Pace(monotonic, random)
        self._batches = Pace(monotonic, random)

    def read_batch(self) -> int:
        """See the class above it. Any packet of the batch is as likely to stand for it; one without a reply does not,
        and those that are answered later are told then, so that nothing counts twice.
        """
        count = super().read_batch()
        if count and (weight := self._batches.due(count)):
            batch = self._in
            index = int(random() * count)  # noqa: S311 - a sample
            size = batch.sizes[index * 2 + 1]
            if size != batch.slot_bytes:  # which is what stands there until a reply does
                start = batch.starts[index]
                self._survey.saw(client_of(batch.name(index)), batch.data[start : start + size], weight)
        return count

    def _send(self, reply: bytes, peer: Peer) -> None:
        if weight := self._single.due(1):
            self._survey.saw(peer[0], reply, weight)
        super()._send(reply, peer)
