"""How long an answer is remembered, may be served stale, and when it is refreshed ahead of time. All in seconds."""

from resolver.config import Zone
from resolver.message.answer import Facts, Kind

FAILURE_SECONDS = (1.0, 2.0, 4.0, 5.0)
"""How long the first, second, third and every later failure in a row is remembered (RFC 9520 section 3.2: at least
1 s, growing; our contract: at most 5 s)."""


def lifetime(facts: Facts, zone: Zone) -> int:
    """The whole seconds for which an answer with these facts may be served as fresh; 0: it must not be remembered.

    Positive answers live as long as the shortest TTL of their answer section, negative ones for min(SOA TTL, SOA
    MINIMUM) and, behind an alias, no longer than the alias (RFC 2308 sections 2.2 and 5). A negative answer without
    SOA, a failure and a truncated answer are never remembered.
    """
    if facts.truncated or facts.kind is Kind.FAILURE:
        return 0
    if facts.kind is Kind.POSITIVE:
        return min(facts.positive_ttl, zone.max_ttl)
    if facts.negative_ttl is None:
        return 0
    ttl = min(facts.negative_ttl, zone.max_nttl)
    return min(ttl, facts.positive_ttl) if facts.counts[0] else ttl


def refresh_window(ttl: int) -> float:
    """The last part of a lifetime in which a hot answer is refreshed ahead of time: a tenth, at least one second."""
    return ttl / 10 if ttl > 10 else 1.0


def failure_seconds(failures_in_a_row: int) -> float:
    """For how long the latest of so many failures (1 or more) is remembered."""
    return FAILURE_SECONDS[min(failures_in_a_row, len(FAILURE_SECONDS)) - 1]
