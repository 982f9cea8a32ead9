"""One upstream server over one transport: its channels to the wire, its health, and what it has been seen to do."""

from collections.abc import Callable, Iterable, Iterator
from random import random

from resolver.config import Transport, Upstream
from resolver.histogram import Histogram
from resolver.upstream.health import Health
from resolver.upstream.transport import Channel

OpenChannel = Callable[[Upstream, Transport], Channel]


class Server:
    """What a zone asks. Zones that name the same upstream and transport share one Server and its connections."""

    __slots__ = ("_fallback", "_open", "channel", "durations", "health", "name", "probing", "transport", "upstream")

    def __init__(self, upstream: Upstream, transport: Transport, open_channel: OpenChannel) -> None:
        self.upstream = upstream
        self.name = str(upstream)
        self.transport = transport
        self.health = Health(random)
        self.durations: dict[int, Histogram] = {}
        """Time from send to answer, by rcode."""
        self.probing = False
        self.channel = open_channel(upstream, transport)
        self._open = open_channel
        self._fallback: Channel | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def tcp_channel(self) -> Channel:
        """Where truncated UDP answers are asked again; opened when first needed."""
        if self.transport is not Transport.UDP:
            return self.channel
        if self._fallback is None:
            self._fallback = self._open(self.upstream, Transport.TCP)
        return self._fallback

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All that are open."""
        return (self.channel,) if self._fallback is None else (self.channel, self._fallback)

    def answered(self, rcode: int, seconds: float, now: float) -> bool:
        """Count one answer. True: the server was down until now."""
        histogram = self.durations.get(rcode)
        if histogram is None:
            histogram = self.durations[rcode] = Histogram()
        histogram.add(seconds)
        return self.health.succeeded(now, seconds)

    def close(self) -> None:
        """Nobody asks this server any more."""
        for channel in self.channels:
            channel.close()


class Servers:
    """All servers in use, one per (upstream, transport)."""

    def __init__(self, open_channel: OpenChannel) -> None:
        self._open = open_channel
        self._by_key: dict[tuple[Upstream, Transport], Server] = {}

    def __iter__(self) -> Iterator[Server]:
        return iter(self._by_key.values())

    def get(self, upstream: Upstream, transport: Transport) -> Server:
        """The server, new or the one that is already there with its connections and its record."""
        key = (upstream, transport)
        server = self._by_key.get(key)
        if server is None:
            server = self._by_key[key] = Server(upstream, transport, self._open)
        return server

    def keep_only(self, wanted: Iterable[Server]) -> None:
        """Close the servers that no zone names any more."""
        kept = {(server.upstream, server.transport) for server in wanted}
        for key in [key for key in self._by_key if key not in kept]:
            self._by_key.pop(key).close()
