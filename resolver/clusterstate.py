"""What this node knows of the cluster, as the informer tells it, for whoever shows it. Pure."""

from collections.abc import Mapping
from typing import Any


class ClusterState:
    """Nothing, where no zone wants to know anything."""

    def __init__(self) -> None:
        self.watches: dict[str, bool] = {}
        """Whether each is kept up to date."""
        self.ready: dict[str, int] = {}
        """Endpoints that are ready, by Service."""
        self.chosen: dict[str, int] = {}
        """Of these, how many this node asks."""

    def learn(self, told: Mapping[str, Any]) -> None:
        """Take over one message of the informer."""
        if told["is"] == "watch":
            self.watches[str(told["what"])] = bool(told["ok"])
        elif told["is"] == "endpoints":
            self.ready[str(told["service"])] = int(told["ready"])
            self.chosen[str(told["service"])] = len(told["endpoints"])
