"""How much of what a client sends is taken in while more comes in than can be answered: max-min fair shares.

Nobody knows beforehand how much can be answered: hits cost little, lookups much, and other programs need the core,
too. So it is seen from what was answered while there was no time left, taken as a little less (what is always busy
makes everybody wait), and raised again while there is time to spare. A client that sends less than its share is not
touched; what it leaves is divided among the others. Pure: counts and seconds in, shares out.
"""

from collections.abc import Iterable, Mapping
from math import inf

HEADROOM = 0.75
"""Of what can be answered at most, as much is taken in."""
BUSY, SPARE = 0.1, 0.3  # of the time: idle for less than this is too much, for more than that there is room
GROWTH = 0.25  # per period with nothing to do, and by the square of the time left where that is less: 2 % with SPARE
FADING = 0.8  # per period: what a client that stops for a moment still counts as sending
PATIENCE = 3
"""Periods with losses, one after another, until anybody is limited: what a process finds that had no turn for a while
is over sooner, and those who sent it do not flood."""
LEAST_PER_SECOND = 500.0  # taken in together, however slow everything is
MOST_CLIENTS = 32
"""Clients that are limited at the same time."""


class Shares:
    """`review` once per period; `passing` is what follows from it."""

    def __init__(self) -> None:
        self.passing: dict[str, float] = {}
        """By client, the share of its packets that is to pass; whoever is not named here is not limited."""
        self.sending: dict[str, float] = {}
        """Of the same clients: packets per second that they send."""
        self._capacity = inf
        self._losing = 0
        """Periods with losses, up to the last."""

    def review(self, arrived: Mapping[str, int], served: int, seconds: float, idle: float, *, lost: bool) -> None:
        """A period is over: packets that arrived by client, how many were answered, its length, and the share of it in
        which nothing was there to be done. `lost`: packets were lost that no share asked for. Nobody is limited anew
        until that goes on: what waits is a burst, and will be answered.
        """
        self._losing = self._losing + 1 if lost else 0
        sending = {client: count / seconds / self.passing.get(client, 1.0) for client, count in arrived.items()}
        for client, before in self.sending.items():
            sending[client] = max(sending.get(client, 0.0), before * FADING)
        if idle < BUSY and (self._losing >= PATIENCE or self.passing):
            self._capacity = max(served / seconds, LEAST_PER_SECOND) * HEADROOM
        elif idle > SPARE:
            self._capacity *= 1 + GROWTH * idle**2
        level = fair_level(sending.values(), self._capacity)
        over = [client for client, each in sending.items() if each > level]
        over = sorted(over, key=lambda client: -sending[client])[:MOST_CLIENTS]
        self.sending = {client: sending[client] for client in over}
        self.passing = {client: level / sending[client] for client in over}
        if not over:
            self._capacity = inf


def fair_level(sending: Iterable[float], capacity: float) -> float:
    """The level at which everybody's rate is cut off so that the sum is `capacity`; infinite: it is not reached."""
    left, ordered = capacity, sorted(sending)
    for index, each in enumerate(ordered):
        share = left / (len(ordered) - index)
        if each > share:
            return share
        left -= each
    return inf
