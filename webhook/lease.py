"""Which replica writes: the one that holds the Lease, which `webhook.keeper` reads and writes. Pure.

Somebody else's Lease may be taken when it has not changed for its duration on our own clock, as Kubernetes'
components do it: clocks of different nodes are never compared. Two who take it at once are told apart by the API
server, which refuses the second write to the same version.
"""

import copy
from datetime import datetime
from typing import Any, Final

DURATION_SECONDS: Final = 15


class Candidate:
    """One replica's view of the Lease."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._seen: object = None
        self._seen_at = 0.0

    def claim(self, lease: dict[str, Any] | None, now: float, wall: datetime) -> dict[str, Any] | None:
        """The spec to write in order to lead, or None while somebody else does.

        `lease` is the object as it is, None if there is none; `now` is monotonic seconds, `wall` for people to read.
        """
        spec = copy.deepcopy((lease or {}).get("spec") or {})
        if lease is not None and not self._is_free(spec, now):
            return None
        stamp = wall.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if spec.get("holderIdentity") != self.identity:
            spec["acquireTime"] = stamp
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        return spec | {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": stamp,
        }

    def holds(self, lease: dict[str, Any] | None) -> bool:
        """Whether the Lease says that this replica leads."""
        return ((lease or {}).get("spec") or {}).get("holderIdentity") == self.identity

    def _is_free(self, spec: dict[str, Any], now: float) -> bool:
        holder = spec.get("holderIdentity")
        if not holder or holder == self.identity:
            return True
        seen = (holder, spec.get("renewTime"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        return now >= self._seen_at + float(spec.get("leaseDurationSeconds") or DURATION_SECONDS)
