"""The exposition for Prometheus: the integers that the parts count, folded under the names of docs/metrics.md.

CoreDNS's names stand where the meaning is CoreDNS's, with its labels; `view` is always
empty. Where the meaning differs a little, docs/metrics.md says how.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from resolver import __version__
from resolver.histogram import Histogram
from resolver.message import codes
from resolver.nodestate import BypassResult
from resolver.ops.families import Values, counter, gauge, histogram, merged
from resolver.ops.process import process_metrics
from resolver.ops.sources import Sources
from resolver.outcome import Source
from resolver.tally import Labels

Entries = Mapping[tuple[str, str], int]
"""Remembered answers by zone and kind."""

READY_ZONE = "cached"
"""The zone in the durations of ready replies, whose batches are timed without looking at zones."""
_PYTHON = ".".join(map(str, sys.version_info[:3]))
_NO_ZONE = "dropped"  # as in CoreDNS
_HITS = (Source.HIT, Source.STALE)
_MISSES = (Source.UPSTREAM, Source.FAILURE)


class Exposition:
    """All metrics of one resolver process."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def text(self, entries: Entries) -> bytes:
        """The text of one scrape, one metric per turn of the loop: all at once would keep queries waiting for 10 ms."""
        parts = []
        for metric in self.collect(entries):
            parts.append(metric)
            await asyncio.sleep(0)
        return "".join(parts).encode()

    def collect(self, entries: Entries) -> Iterator[str]:
        """All metrics, each made when it is its turn."""
        yield from self._dns()
        yield from self._cache(entries)
        yield from self._forward()
        yield from self._upstreams()
        yield from self._listeners()
        yield from self._node()
        yield from self._resolver()
        yield from process_metrics()

    @property
    def _server(self) -> str:
        return f"dns://:{self._sources.port()}"

    def _dns(self) -> Iterator[str]:
        server, tallies = self._server, self._sources.engine.tallies
        yield counter(
            "coredns_dns_requests_total", "Queries that were answered.", "server zone view proto family type",
            self._fold(lambda of: (server, _zone(of), "", _proto(of), "1" if of.family == 4 else "2", of.qtype)),
        )  # fmt: skip
        yield counter(
            "coredns_dns_responses_total", "Replies by rcode and by where they came from.",
            "server zone view rcode plugin",
            self._fold(lambda of: (server, _zone(of), "", _rcode(of.rcode), of.source.value)),
        )  # fmt: skip
        durations: dict[Values, Histogram] = {
            (server, zone or _NO_ZONE, ""): took for zone, took in tallies.durations.items()
        }
        yield histogram(
            "coredns_dns_request_duration_seconds", "From reading a query to its reply.", "server zone view",
            {**durations, (server, READY_ZONE, ""): tallies.hit_durations},
        )  # fmt: skip
        yield counter(
            "coredns_panics_total", "Queries that met a defect of the resolver.", "",
            {(): self._sources.listeners().panics_total},
        )  # fmt: skip

    def _cache(self, remembered: Entries) -> Iterator[str]:
        server, engine = self._server, self._sources.engine
        by_zone = "server zones view"
        yield counter(
            "coredns_cache_requests_total", "Queries that came to the cache.", by_zone,
            self._fold(lambda of: (server, of.zone, ""), (*_HITS, *_MISSES)),
        )  # fmt: skip
        yield counter(
            "coredns_cache_hits_total", "Replies from the cache, stale ones included.", "server type zones view",
            self._fold(lambda of: (server, _cache_type(of.kind), of.zone, ""), _HITS),
        )  # fmt: skip
        yield counter(
            "coredns_cache_misses_total", "Queries that the cache could not answer.", by_zone,
            self._fold(lambda of: (server, of.zone, ""), _MISSES),
        )  # fmt: skip
        yield counter(
            "coredns_cache_served_stale_total", "Replies from expired answers.", by_zone,
            self._fold(lambda of: (server, of.zone, ""), (Source.STALE,)),
        )  # fmt: skip
        yield counter(
            "coredns_cache_prefetch_total", "Answers refreshed before they expired.", by_zone,
            {(server, "", ""): engine.tallies.prefetches_total},
        )  # fmt: skip
        yield counter(
            "coredns_cache_evictions_total", "Answers forgotten to make room.", "server type zones view",
            {(server, "", "", ""): engine.store.evictions},
        )  # fmt: skip
        entries: Counter[Values] = Counter()
        for (zone, kind), count in remembered.items():
            entries[server, _cache_type(kind), zone, ""] += count
        yield gauge("coredns_cache_entries", "Answers that are remembered.", "server type zones view", entries)

    def _forward(self) -> Iterator[str]:
        sources = self._sources
        yield counter(
            "coredns_forward_max_concurrent_rejects_total", "Queries refused because too many were under way.", "",
            {(): sources.engine.flights.rejected_total},
        )  # fmt: skip
        yield counter(
            "coredns_forward_healthcheck_broken_total",
            "Stale answers and failures given while all servers of a zone were down.", "",
            {(): sources.pulse.broken_total},
        )  # fmt: skip
        durations: dict[Values, Histogram] = {}
        failures: Counter[Values] = Counter()
        for server in sources.servers:
            failures["forward", str(server)] += server.health.failures_total
            for rcode, took in server.durations.items():
                key = ("forward", str(server), _rcode(rcode))
                durations[key] = took if key not in durations else merged(durations[key], took)
        yield histogram(
            "coredns_proxy_request_duration_seconds", "From sending a question to an upstream to its answer.",
            "proxy_name to rcode", durations,
        )  # fmt: skip
        yield counter(
            "coredns_proxy_healthcheck_failures_total", "Questions and probes that an upstream left unanswered.",
            "proxy_name to", failures,
        )  # fmt: skip
        yield counter(
            "coredns_nodecache_setup_errors_total", "What of the node could not be set up.", "errortype",
            _by_reason(sources.node().setup_errors),
        )  # fmt: skip
        yield gauge(
            "coredns_build_info", "Stands for CoreDNS's, with the version of this resolver.",
            "version revision goversion", {(__version__, "", ""): 1},
        )  # fmt: skip

    def _upstreams(self) -> Iterator[str]:
        labels = "to transport"
        servers = {(str(server), server.transport.value): server for server in self._sources.servers}
        states = {key: [channel.snapshot() for channel in server.channels] for key, server in servers.items()}
        yield gauge(
            "nodelocaldns_upstream_healthy", "1 while an upstream answers.", labels,
            {key: not server.health.down for key, server in servers.items()},
        )  # fmt: skip
        yield gauge(
            "nodelocaldns_upstream_connections", "Open connections to an upstream (UDP: sockets).", labels,
            {key: sum(state.connections for state in each) for key, each in states.items()},
        )  # fmt: skip
        yield gauge(
            "nodelocaldns_upstream_in_flight", "Questions that an upstream has not answered yet.", labels,
            {key: sum(state.in_flight for state in each) for key, each in states.items()},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_upstream_connections_opened_total", "Connections opened to an upstream.", labels,
            {key: sum(state.opened_total for state in each) for key, each in states.items()},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_upstream_ignored_packets_total", "Packets that answered nothing that was asked.", labels,
            {key: sum(state.ignored_total for state in each) for key, each in states.items()},
        )  # fmt: skip

    def _listeners(self) -> Iterator[str]:
        state, engine = self._sources.listeners(), self._sources.engine
        yield counter(
            "nodelocaldns_dropped_packets_total", "Packets of clients that got no reply.", "reason",
            {(drop.name.lower(),): count for drop, count in engine.tallies.dropped.items()},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_udp_lost_total", "Replies (and reads) that the kernel refused.", "error",
            _by_reason(state.udp_lost_total),
        )  # fmt: skip
        yield gauge("nodelocaldns_tcp_connections", "Open connections of clients.", "", {(): state.tcp_connections})
        yield counter(
            "nodelocaldns_tcp_accepted_total", "Connections of clients that were let in.", "",
            {(): state.tcp_accepted_total},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_tcp_refused_total", "Connections of clients that were not let in.", "reason",
            _by_reason(state.tcp_refused_total),
        )  # fmt: skip
        yield counter(
            "nodelocaldns_tcp_ended_total", "Connections of clients that the resolver ended.", "reason",
            _by_reason(state.tcp_ended_total),
        )  # fmt: skip

    def _node(self) -> Iterator[str]:
        """Of what the configuration asks for on the node; a metric without samples where it asks for nothing."""
        node = self._sources.node()
        yield gauge(
            "nodelocaldns_node_addresses", "1 while the device has all the addresses that it shall have.", "device",
            {(node.device,): not node.missing} if node.device else {},
        )  # fmt: skip
        yield gauge(
            "nodelocaldns_node_rules", "1 while the rules that bypass conntrack are in force.", "",
            {} if node.rules is None else {(): node.rules},
        )  # fmt: skip
        yield gauge(
            "nodelocaldns_conntrack_bypass", "1 for what the last self-test of the bypass found.", "result",
            {(each.value,): each is node.bypass.result for each in BypassResult} if node.bypass else {},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_node_repairs_total", "What was missing on the node and was put back.", "what",
            _by_reason(node.repairs),
        )  # fmt: skip

    def _resolver(self) -> Iterator[str]:
        sources, engine = self._sources, self._sources.engine
        reload, flights = sources.reload, sources.engine.flights
        yield gauge(
            "nodelocaldns_build_info", "The version of this resolver.", "version python",
            {(__version__, _PYTHON): 1},
        )  # fmt: skip
        simple: tuple[tuple[str, str, float], ...] = (
            ("config_last_reload_successful", "1 if the last change of the file was taken over.", reload.successful),
            ("config_last_reload_success_timestamp_seconds", "When one last was (Unix time).", reload.succeeded_at),
            ("flights", "Lookups under way.", len(flights)),
            ("waiting_clients", "Queries that wait for a lookup.", flights.waiting),
            ("cache_bytes", "Bytes of the answers that are remembered.", engine.store.bytes + engine.ready.bytes),
            ("cache_max_bytes", "The bound of that (cache.size).", engine.store.max_bytes + engine.ready.max_bytes),
            ("ready_replies", "Replies ready to send.", sum(len(via.ready) for via in engine.vias.values())),
            (
                "event_loop_lag_seconds",
                "The worst delay of the event loop in a minute.",
                sources.pulse.worst_lag_seconds,
            ),
        )
        for name, text, value in simple:
            yield gauge("nodelocaldns_" + name, text, "", {(): value})
        yield counter(
            "nodelocaldns_config_reloads_total", "Changes of the file, by result.", "result",
            _by_reason(reload.results),
        )  # fmt: skip
        yield counter(
            "nodelocaldns_workers_replaced_total", "Workers that died or stood still.", "reason",
            _by_reason(sources.replaced()),
        )  # fmt: skip
        yield counter(
            "nodelocaldns_joined_lookups_total", "Queries whose lookup was under way already.", "",
            {(): flights.joined_total},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_log_dropped_total", "Lines of the log that were dropped.", "", {(): sources.log_dropped()}
        )

    def _fold(self, key: Callable[[Labels], Values], sources: Iterable[Source] = tuple(Source)) -> Mapping[Values, int]:
        """The sums of the engine's cells of these sources, by what `key` makes of their labels."""
        sums: dict[Values, int] = {}
        for labels, cell in self._sources.engine.tallies.cells.items():
            if labels.source in sources:
                values = key(labels)
                sums[values] = sums.get(values, 0) + cell[0]
        return sums


def _by_reason(counts: Mapping[str, int]) -> Mapping[Values, int]:
    return {(reason,): count for reason, count in counts.items()}


def _zone(labels: Labels) -> str:
    return labels.zone or _NO_ZONE


def _proto(labels: Labels) -> str:
    return "tcp" if labels.tcp else "udp"


def _rcode(rcode: int) -> str:
    return codes.RCODE_NAMES.get(rcode, str(rcode))


def _cache_type(kind: str) -> str:
    """CoreDNS knows two caches: answers, and denials of any kind."""
    return "success" if kind == "success" else "denial"
