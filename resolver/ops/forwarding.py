"""Metrics of the side that asks servers: lookups and their limits, budgets of zones, servers and connections."""

from collections import Counter
from collections.abc import Iterator

from resolver.histogram import Histogram
from resolver.message import codes
from resolver.ops.families import Values, counter, gauge, histogram, merged
from resolver.ops.sources import Sources


def forwarding(sources: Sources) -> Iterator[str]:
    """Each made when it is its turn."""
    yield from _limits(sources)
    yield from _budgets(sources)
    yield from _hasty(sources)
    yield from _answers(sources)
    yield from _servers(sources)


def _limits(sources: Sources) -> Iterator[str]:
    yield counter(
        "coredns_forward_max_concurrent_rejects_total", "Queries refused because too many were under way.", "",
        {(): sources.engine.flights.rejected_total},
    )  # fmt: skip
    yield counter(
        "nodelocaldns_client_share_rejects_total", "Of these, queries for which others would have found room.", "",
        {(): sources.engine.flights.unfair_total},
    )  # fmt: skip
    derived = sources.engine.derived
    yield counter(
        "nodelocaldns_search_completions_total", "Names of search lists that were completed, and how it ended.",
        "result", {(result,): count for result, count in derived.completed.items()},
    )  # fmt: skip
    yield counter(
        "nodelocaldns_aaaa_filtered_total", "AAAA questions that were answered without asking.", "",
        {(): derived.filtered_total},
    )  # fmt: skip


def _budgets(sources: Sources) -> Iterator[str]:
    """Of zones with `queriesPerSecond`; metrics without samples where there are none."""
    engine = sources.engine
    budgets = {route.label: route.budget for route in engine.routes.all if route.budget is not None}
    yield gauge(
        "nodelocaldns_budget_queries_per_second", "What may be sent in a second (queriesPerSecond).", "zone",
        {(zone,): budget.per_second for zone, budget in budgets.items()},
    )  # fmt: skip
    yield gauge(
        "nodelocaldns_budget_peak_ratio", "The busiest second of the last minute, as a share of that.", "zone",
        {(zone,): budget.peak_share(engine.clock()) for zone, budget in budgets.items()},
    )  # fmt: skip
    yield gauge(
        "nodelocaldns_budget_waiting", "Lookups that wait for their turn.", "zone",
        {(zone,): budget.waiting for zone, budget in budgets.items()},
    )  # fmt: skip
    yield counter(
        "nodelocaldns_budget_queries_total", "Questions that were sent, further tries included.", "zone",
        {(zone,): budget.sent_total for zone, budget in budgets.items()},
    )  # fmt: skip
    yield counter(
        "nodelocaldns_budget_exceeded_total", "What could not be sent at once, and what became of it.",
        "zone result",
        {
            (zone, result): count for zone, budget in budgets.items()
            for result, count in (
                ("deferred", budget.deferred_total), ("refused", budget.refused_total),
                ("stale", budget.stale_total),
            )
        },
    )  # fmt: skip


def _hasty(sources: Sources) -> Iterator[str]:
    """Of zones with endpoints of a Service; no samples where there are none."""
    yield counter(
        "nodelocaldns_upstream_hasty_total", "Questions asked at another endpoint early, where one went quiet.", "zone",
        {(route.label,): route.haste.total for route in sources.engine.routes.all if route.alike},
    )  # fmt: skip


def _answers(sources: Sources) -> Iterator[str]:
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
            key = ("forward", str(server), codes.RCODE_NAMES.get(rcode, str(rcode)))
            durations[key] = took if key not in durations else merged(durations[key], took)
    yield histogram(
        "coredns_proxy_request_duration_seconds", "From sending a question to an upstream to its answer.",
        "proxy_name to rcode", durations,
    )  # fmt: skip
    yield counter(
        "coredns_proxy_healthcheck_failures_total", "Questions and probes that an upstream left unanswered.",
        "proxy_name to", failures,
    )  # fmt: skip


def _servers(sources: Sources) -> Iterator[str]:
    labels = "to transport"
    servers = {(str(server), server.transport.value): server for server in sources.servers}
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
