"""What a running webhook knows, in one place: written by its parts, read by each call and by /readyz. Pure.

`dns` is replaced as a whole when the cluster's DNS is discovered anew, so that a call sees the old or the new settings
and nothing between. A thing that could not be found out keeps its last value, and its note says since when.
"""

from dataclasses import dataclass, field
from datetime import datetime

from webhook.profile import Dns


@dataclass(slots=True)
class State:
    """One webhook's. `published` are the caBundles in the cluster (PEM), None while nobody has looked."""

    dns: Dns
    excluded: frozenset[str] = frozenset()
    published: tuple[str, ...] | None = None
    draining: bool = False
    troubles: dict[str, str] = field(default_factory=dict)
    """What does not work at the moment, by the part that says so, each with the time since when."""

    def trouble(self, part: str, what: str, now: datetime) -> bool:
        """Note a trouble; whether it is new."""
        text = self.troubles.get(part, "")
        if text.startswith(f"{what}, since "):
            return False
        self.troubles[part] = f"{what}, since {now:%Y-%m-%dT%H:%M:%SZ}"
        return True

    def well(self, part: str) -> bool:
        """Forget a part's trouble; whether there was one."""
        return self.troubles.pop(part, None) is not None
