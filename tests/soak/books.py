"""Whether what the resolver has counted agrees with what its clients have.

Both are read while nothing is under way, before and after a stretch of load. Questions that a client asked and then
went away from over TCP, and those it asked again because their connection had ended, may have been counted or not; all
others have to be found on both sides to the last one.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.lab.resolver import Resolver

_COUNTED: Final = {
    "coredns_dns_requests_total": "requests",
    "coredns_dns_responses_total": "responses",
    "coredns_panics_total": "panics",
    "nodelocaldns_dropped_packets_total": "no query",
    "nodelocaldns_udp_dropped_total": "dropped",
    "nodelocaldns_udp_lost_total": "lost",
    "nodelocaldns_log_dropped_total": "log lines dropped",
}


def told(resolver: Resolver) -> Counter[str]:
    """What it has counted by now, without its questions to itself (/health)."""
    counted: Counter[str] = Counter()
    for family in text_string_to_metric_families(resolver.admin("/metrics")[1]):
        for sample in family.samples:
            if sample.name in _COUNTED:
                counted[_COUNTED[sample.name]] += int(sample.value)
            if (
                sample.name == "coredns_dns_requests_total"
                and sample.labels["type"] == "TXT"
                and sample.labels["zone"] == "dropped"
            ):
                counted["requests"] -= int(sample.value)
                counted["responses"] -= int(sample.value)
    return counted


def lost_by_the_machine() -> int:
    """Packets that the kernel has dropped between its networks since it was started, for want of CPU (a full backlog,
    second column of softnet_stat). Of the whole machine: a busy one loses some that are nobody's mistake.
    """
    lines = Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in lines)


@dataclass(frozen=True, slots=True)
class Books:
    """Both sides of one stretch. `whole`: no process was replaced, so the resolver's side has everything; `on_the_way`:
    packets that may have been lost between both sides.
    """

    clients: Counter[str]
    resolver: Counter[str]
    whole: bool
    on_the_way: int = 0

    @property
    def sent(self) -> int:
        """Queries that must have come to the resolver."""
        return self.clients["asked"] - self.clients["not sent"] + self.clients["left"]

    @property
    def perhaps(self) -> int:
        """Queries that may have."""
        return self.clients["left over TCP"] + self.clients["asked again"]

    @property
    def received(self) -> int:
        """Replies that came to their clients."""
        return sum(self.clients[kind] for kind in ("right", "truncated", "failed", "wrong", "late"))

    @property
    def accounted(self) -> int:
        """Queries without an answer that somebody has counted."""
        return self.resolver["dropped"] + self.resolver["lost"] + self.on_the_way

    def mistakes(self, *, may_lose: bool) -> list[str]:
        """What does not add up; `may_lose`: something between clients and resolver was taken away meanwhile."""
        found = []
        unanswered = self.clients["unanswered"]
        if self.received + unanswered != self.clients["asked"] + self.clients["late"]:
            found.append(f"{self.clients['asked']} asked, {self.received} received and {unanswered} unanswered")
        if not self.whole:
            return found
        counted, replied = self.resolver["requests"] + self.resolver["dropped"], self.resolver["responses"]
        least = self.sent - (unanswered if may_lose else self.on_the_way)
        if not least <= counted <= self.sent + self.perhaps:
            found.append(f"{self.sent} to {self.sent + self.perhaps} queries sent, {counted} counted")
        if self.resolver["requests"] != replied:
            found.append(f"{self.resolver['requests']} requests and {replied} responses counted")
        owed = self.received + self.clients["left"]
        # Who left may have had its query lost, or dropped.
        least = owed - min(self.accounted + (unanswered if may_lose else 0), self.clients["left"])
        most = owed + self.perhaps + self.resolver["lost"] + (unanswered if may_lose else self.on_the_way)
        if not least <= replied <= most:
            found.append(f"{least} to {most} replies, {replied} counted")
        babbled, noticed = self.clients["no query"], self.resolver["no query"]
        if not may_lose and not babbled - self.accounted <= noticed <= babbled:
            found.append(f"{babbled} packets that are no query, {noticed} counted")
        return found
