"""The listener for TCP that tells a survey of a sample of its replies; used only where `admin.top` is on.

As in `sampled`, with the replies of all connections of a listener as one row. Not compiled, as its bases are not.
"""

import asyncio
import socket
from random import random
from time import monotonic

from resolver.engine import Engine
from resolver.listen.clients import TcpClients
from resolver.listen.connection import Connection
from resolver.listen.tcp import TcpListener
from resolver.outcome import Via
from resolver.survey.pace import Pace
from resolver.survey.survey import Survey


class SampledTcpListener(TcpListener):
    """See `tcp.TcpListener`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via, clients: TcpClients,
        survey: Survey,
    ) -> None:  # fmt: skip
        super().__init__(loop, sock, engine, via, clients)
        self._survey = survey
        self._pace = Pace(monotonic, random)

    def connection(self) -> Connection:
        """See the class above it."""
        return SampledConnection(self)

    def tell(self, client: str, reply: bytes) -> None:
        """Count one reply, if it is of the sample."""
        if weight := self._pace.due(1):
            self._survey.saw(client, reply, weight)


class SampledConnection(Connection):
    """See `connection.Connection`."""

    __slots__ = ("_tell",)

    def __init__(self, listener: SampledTcpListener) -> None:
        super().__init__(listener)
        self._tell = listener.tell

    def _put(self, reply: bytes) -> None:
        self._tell(self.client, reply)
        super()._put(reply)
