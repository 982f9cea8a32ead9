"""Whether a server is worth asking: learned from every try (passive), and from probes while it is down (active). Pure.

A server goes down after FAILURES_TO_DOWN tries in a row without a readable response, whatever that says, once the last
such response is SILENT_SECONDS old: single questions that a server cannot answer say nothing about it while it answers
others. One such response brings it back. While it is down it is asked only when nothing better is left, and a probe
goes to it every half second or so, spread by jitter, so that it is used again within a second of its return and its
return does not meet all nodes at the same instant.
"""

from collections.abc import Callable

FAILURES_TO_DOWN = 3
SILENT_SECONDS = 0.5
PROBE_SECONDS = 0.5
_PROBE_JITTER = 0.4  # each pause is between 60 % and 140 % of PROBE_SECONDS
_LATENCY_WEIGHT = 0.125  # of the newest sample, as in RFC 6298


class Health:
    """One server's record. `jitter()` gives numbers from 0 to 1."""

    __slots__ = ("_jitter", "_probe_at", "changed_at", "down", "failed_at", "failures_in_a_row", "failures_total",
                 "_heard_at", "latency_seconds", "recoveries")  # fmt: skip

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._probe_at = 0.0
        self._heard_at = float("-inf")
        self.down = False
        self.failures_in_a_row = 0
        self.failures_total = 0
        self.recoveries = 0
        self.changed_at = 0.0
        self.failed_at = 0.0
        """When a try last failed that counted."""
        self.latency_seconds: float | None = None
        """Smoothed time to answer; None before the first answer."""

    def succeeded(self, now: float, latency_seconds: float) -> bool:
        """The server responded with what can be read, whatever it said. True: it was down until now."""
        known = self.latency_seconds
        self.latency_seconds = latency_seconds if known is None else known + _LATENCY_WEIGHT * (latency_seconds - known)
        self.failures_in_a_row = 0
        self._heard_at = now
        if not self.down:
            return False
        self.down = False
        self.recoveries += 1
        self.changed_at = now
        return True

    def failed(self, now: float, *, known: bool = False) -> bool:
        """A try ended without a readable response. True: the server counts as down from now on.

        `known`: by the same event as the failure before, which counts once in the row.
        """
        self.failures_total += 1
        if known:
            return False
        self.failed_at = now
        self.failures_in_a_row += 1
        if self.down or self.failures_in_a_row < FAILURES_TO_DOWN or now - self._heard_at < SILENT_SECONDS:
            return False
        self.down = True
        self.changed_at = now
        self._probe_at = now + self._pause()
        return True

    def take_probe(self, now: float) -> bool:
        """Whether a probe should be sent now; if so, the next one is due a jittered pause later."""
        if not self.down or now < self._probe_at:
            return False
        self._probe_at = now + self._pause()
        return True

    def _pause(self) -> float:
        return PROBE_SECONDS * (1 - _PROBE_JITTER + 2 * _PROBE_JITTER * self._jitter())
