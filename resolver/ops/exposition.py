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
from resolver.ops.families import Values, counter, gauge, histogram
from resolver.ops.forwarding import forwarding
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
_OTHER = "(other)"  # which is no name of Kubernetes's
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
        yield from forwarding(self._sources)
        yield from self._listeners()
        yield from self._node()
        yield from self._survey()
        yield from self._cluster()
        yield from _build()
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
        yield counter(
            "nodelocaldns_udp_dropped_total", "Queries for which there was no time.", "reason",
            _by_reason(state.udp_dropped_total),
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
        # From zero on: what appears with its first count has not increased, and no alert would see it.
        repairs = {**({"interface": 0} if node.device else {}), **({} if node.rules is None else {"rules": 0})}
        yield counter(
            "nodelocaldns_node_repairs_total", "What was missing on the node and was put back.", "what",
            _by_reason({**repairs, **node.repairs}),
        )  # fmt: skip
        yield counter(
            "coredns_nodecache_setup_errors_total", "What of the node could not be set up.", "errortype",
            _by_reason(node.setup_errors),
        )  # fmt: skip

    def _survey(self) -> Iterator[str]:
        """Who asks, where `admin.top` is on; metrics without samples elsewhere."""
        survey = self._sources.survey
        pods: dict[Values, float] = {}
        namespaces: dict[Values, float] = {}
        if survey is not None:
            for owner, count in survey.seated_pods.counts().items():
                pods[owner.namespace, owner.pod] = pods.get((owner.namespace, owner.pod), 0) + count
            namespaces = {(each,): count for each, count in survey.seated_namespaces.counts().items()}
            pods[_OTHER, _OTHER] = survey.total - sum(pods.values())
            namespaces[(_OTHER,)] = survey.total - sum(namespaces.values())
        yield counter(
            "nodelocaldns_pod_queries_total", "Queries by pod, from a sample; of the busiest ones.", "namespace pod",
            pods,
        )  # fmt: skip
        yield counter(
            "nodelocaldns_namespace_queries_total", "Queries by namespace, from a sample.", "namespace", namespaces
        )

    def _cluster(self) -> Iterator[str]:
        """Of what is watched in the cluster; metrics without samples where nothing is."""
        cluster = self._sources.cluster()
        yield gauge(
            "nodelocaldns_cluster_watching", "1 while this is kept up to date with the API server.", "what",
            {(what,): ok for what, ok in cluster.watches.items()},
        )  # fmt: skip
        freshness = self._sources.engine.freshness
        yield counter(
            "nodelocaldns_cluster_changed_names_total", "Names whose answers a change in the cluster has changed.", "",
            {(): freshness.changed_total},
        )  # fmt: skip
        yield counter(
            "nodelocaldns_cluster_forgotten_total", "Answers that were forgotten for that.", "",
            {(): freshness.forgotten_total},
        )  # fmt: skip
        yield gauge(
            "nodelocaldns_service_endpoints", "Endpoints of a Service that are ready, and those that this node asks.",
            "service state",
            {(service, state): count for state, counts in (("ready", cluster.ready), ("asked", cluster.chosen))
             for service, count in counts.items()},
        )  # fmt: skip

    def _resolver(self) -> Iterator[str]:
        sources, engine = self._sources, self._sources.engine
        reload, flights = sources.reload, sources.engine.flights
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
            "nodelocaldns_workers_replaced_total", "Workers that died, stood still or never began.", "reason",
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


def _build() -> Iterator[str]:
    yield gauge(
        "nodelocaldns_build_info", "The version of this resolver.", "version python", {(__version__, _PYTHON): 1}
    )
    yield gauge(
        "coredns_build_info", "Stands for CoreDNS's, with the version of this resolver.",
        "version revision goversion", {(__version__, "", ""): 1},
    )  # fmt: skip


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
