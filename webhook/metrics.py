"""What is counted, under the names of docs/webhook.md; one registry per webhook, so that tests see their own only."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from webhook.decision import Decision
from webhook.rules import Reason

CONTENT_TYPE = CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call]  # otherwise each counter has a second line, which tells when it was made


class Metrics:
    """Counters of one webhook."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter(
            "nodelocaldns_webhook_decisions",
            "Pods looked at: injected, or skipped for a reason.",
            ["result", "reason", "profile"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "nodelocaldns_webhook_duration_seconds",
            "From a call's first byte read to its answer.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
            registry=self.registry,
        )
        self._rejected = Counter(
            "nodelocaldns_webhook_rejected_calls",
            "Calls that were no AdmissionReview, too large or too slow, by HTTP status.",
            ["code"],
            registry=self.registry,
        )
        self.internal_errors = Counter(
            "nodelocaldns_webhook_internal_errors",
            "Failures of our own; the pods went through as they were.",
            registry=self.registry,
        )
        self._expiry = Gauge(
            "nodelocaldns_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, in seconds since 1970.",
            registry=self.registry,
        )
        self.replacements = Counter(
            "nodelocaldns_webhook_certificate_replacements",
            "Serving certificates taken into use.",
            registry=self.registry,
        )
        self.api_up = Gauge(
            "nodelocaldns_webhook_api_server_up",
            "1 while the last call to the API server succeeded.",
            registry=self.registry,
        )

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

    def text(self) -> bytes:
        """In Prometheus's format; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)
