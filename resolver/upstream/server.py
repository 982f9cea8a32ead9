"""One upstream server over one transport: its channels to the wire, its health, and what it has been seen to do."""

from collections.abc import Callable, Iterable, Iterator

from resolver.config import Transport, Upstream
from resolver.histogram import Histogram
from resolver.upstream.chance import random
from resolver.upstream.health import Health
from resolver.upstream.suspects import TYPE_AND_CLASS_BYTES, Standing, Suspects
from resolver.upstream.transport import Channel

OpenChannel = Callable[[Upstream, Transport, bool], Channel]
"""(where, how, whether each question is to have a connection of its own)"""
_ARPA = b"\4arpa\0"
_UNKNOWN_SECONDS = 0.001  # to answer, before the first answer
_REVERSE, _DEFAULT, _NAMED, _ASIDE, _ALONE = "reverse", "default", "named", "aside", "alone"


class Server:
    """What a zone asks. Zones that name the same upstream and transport share one Server and its connections."""

    __slots__ = ("_fallback", "_lanes", "_open", "channel", "durations", "health", "name", "probing", "suspects",
                 "transport", "upstream")  # fmt: skip

    def __init__(self, upstream: Upstream, transport: Transport, open_channel: OpenChannel) -> None:
        self.upstream = upstream
        self.name = str(upstream)
        self.transport = transport
        self.health = Health(random)
        self.durations: dict[int, Histogram] = {}
        """Time from send to answer, by rcode."""
        self.probing = False
        self.channel = open_channel(upstream, transport, False)
        self._open = open_channel
        self._fallback: Channel | None = None
        self._lanes: dict[str, Channel] = {}
        self.suspects = Suspects()
        """Names that seem to hold up the questions behind them."""

    def __str__(self) -> str:
        return self.name

    def channel_for(self, question: bytes, now: float, *, default: bool = False, over_tcp: bool = False) -> Channel:
        """Where to ask a question (wire form) of a zone, of the `default` one or another; `over_tcp`: whatever the
        transport.

        Over TCP and TLS, names under arpa take a way of their own, and so do the default zone and all other zones.
        CoreDNS takes the questions of a connection one after the other, and what is not the cluster's it forwards: a
        name whose servers are far away or gone would hold up every Service asked for behind it. Names that were seen to
        do that, or might, have ways of their own, too (`suspects`).
        """
        if self.transport is Transport.UDP:
            return self.tcp_channel if over_tcp else self.channel
        standing = self.suspects.standing(question, now) if self.suspects.watching else Standing.TRUSTED
        if standing is not Standing.TRUSTED:
            lane = _ASIDE if standing is Standing.ASIDE else _ALONE
        elif question.endswith(_ARPA, 0, -TYPE_AND_CLASS_BYTES):
            lane = _REVERSE
        else:
            lane = _DEFAULT if default else _NAMED
        channel = self._lanes.get(lane)
        if channel is None:
            first = lane in (_DEFAULT, _NAMED) and self.channel not in self._lanes.values()
            channel = self.channel if first else self._open(self.upstream, self.transport, lane in (_ASIDE, _ALONE))
            self._lanes[lane] = channel
        return channel

    @property
    def tcp_channel(self) -> Channel:
        """Where truncated UDP answers are asked again; opened when first needed."""
        if self.transport is not Transport.UDP:
            return self.channel
        if self._fallback is None:
            self._fallback = self._open(self.upstream, Transport.TCP, False)
        return self._fallback

    @property
    def load(self) -> float:
        """What one more question will probably take, in seconds: those before it, each as long as usual."""
        latency = self.health.latency_seconds
        return (self.channel.waiting + 1) * (_UNKNOWN_SECONDS if latency is None else latency)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All that are open."""
        fallback = () if self._fallback is None else (self._fallback,)
        return (self.channel, *fallback, *(lane for lane in self._lanes.values() if lane is not self.channel))

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
