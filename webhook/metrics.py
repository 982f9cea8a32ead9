"""What is counted, under the names of docs/webhook.md; one registry per webhook, so that tests see their own only.

Decisions are there from zero on, one series for each that can be: what appears with its first count has not increased,
and no alert would see it.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from webhook import words
from webhook.decision import Decision
from webhook.profile import Profile
from webhook.rules import Reason

CONTENT_TYPE = CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call]  # otherwise each counter has a second line, which tells when it was made


class Metrics:
    """Counters of one webhook."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self._decisions = counter(
            "nodelocaldns_webhook_decisions", "Pods looked at: injected, or skipped for a reason.",
            ["result", "reason", "profile"],
        )  # fmt: skip
        for profile in Profile:
            self._decisions.labels(words.INJECTED, "", profile.value)
        for reason in Reason:
            self._decisions.labels(words.SKIPPED, reason.value, "")
        self._seconds = Histogram(
            "nodelocaldns_webhook_duration_seconds", "From a call's first byte read to its answer.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0), registry=registry,
        )  # fmt: skip
        self._rejected = counter(
            "nodelocaldns_webhook_rejected_calls",
            "Calls that were no AdmissionReview, too large or too slow, by HTTP status.", ["code"],
        )  # fmt: skip
        self.internal_errors = counter(
            "nodelocaldns_webhook_internal_errors", "Failures of our own; the pods went through as they were."
        )
        self._expiry = gauge(
            "nodelocaldns_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, in seconds since 1970.",
        )
        self.replacements = counter(
            "nodelocaldns_webhook_certificate_replacements", "Serving certificates taken into use."
        )
        self.api_up = gauge(
            "nodelocaldns_webhook_api_server_up",
            "1 while the last call to the API server succeeded; NaN where none was made.",
        )
        self.api_up.set(math.nan)
        self._ready = gauge("nodelocaldns_webhook_ready", "1 for each check of /readyz that passes.", ["check"])

    def decided(self, decision: Decision, seconds: float) -> None:
        """Count a decision that took this long."""
        profile = decision.profile.value if decision.profile else ""
        self._decisions.labels(decision.result, decision.reason.value if decision.reason else "", profile).inc()
        self._seconds.observe(seconds)
        if decision.reason is Reason.INTERNAL_ERROR:
            self.internal_errors.inc()

    def rejected(self, code: int) -> None:
        """Count a call that got no decision."""
        self._rejected.labels(str(code)).inc()

    def certificate(self, not_after: datetime | None) -> None:
        """Note the certificate that was taken into use."""
        self.replacements.inc()
        self._expiry.set(not_after.timestamp() if not_after else 0)

    def checked(self, checks: Mapping[str, bool]) -> None:
        """Note what /readyz would say now: for each check that is needed, by its name, whether it passes."""
        self._ready.clear()
        for name, ok in checks.items():
            self._ready.labels(name).set(ok)

    def text(self) -> bytes:
        """In Prometheus's format; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)
