"""How many questions may be sent to a zone's servers in a second, and whose turn it is when that is not enough. Pure.

A bucket of tokens: every send takes one, also a second try, but only the first send of a lookup has to wait for it. It
fills with nine tenths of the budget per second and holds one tenth, so that in no second more lookups begin than the
budget says. Those that wait have a queue for each client, and clients take turns: who asks much waits for itself.
Lookups that no client waits for (what is remembered is to be made fresh) come last, but get every eighth turn, so that
what is remembered does not grow old for as long as there is no budget to spare.
"""

from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

MOST_WAITING: Final = 256
"""Lookups of one client that wait for their turn."""
_RESERVE = 0.1  # of a second's budget, for bursts
_REFRESH_TURN = 8
_PEAK_SECONDS = 60

T = TypeVar("T")


class Budget(Generic[T]):
    """`admit` or, if that says no, `wait` and take what `following` gives. `now` is monotonic seconds."""

    __slots__ = ("_filled_at", "_most", "_peaks", "_queues", "_rate", "_second", "_sent_in_second", "_tokens", "_turn",
                 "deferred_total", "peak_from", "per_second", "refused_total", "sent_total", "stale_total",
                 "waiting")  # fmt: skip

    def __init__(self, per_second: float) -> None:
        self.change(per_second)
        self._tokens = self._most
        self._filled_at = 0.0
        self._queues: OrderedDict[str, deque[T]] = OrderedDict()
        self._turn = 0
        self._second = 0
        self._sent_in_second = 0
        self._peaks = (0, 0)
        self.peak_from = 0
        self.waiting = 0
        """Lookups that wait for their turn."""
        self.sent_total = 0
        """Questions that were sent, further tries included."""
        self.deferred_total = 0
        """Lookups that had to wait."""
        self.refused_total = 0
        """Lookups that did not get a turn in time, or whose client had too many waiting."""
        self.stale_total = 0
        """Questions answered from memory with an expired answer, at once, because others waited."""

    def change(self, per_second: float) -> None:
        """Another budget from now on."""
        self.per_second = per_second
        self._rate = per_second * (1 - _RESERVE)
        self._most = max(per_second * _RESERVE, 1.0)

    def admit(self, now: float) -> bool:
        """Whether a lookup may begin at once; if so, its first send is counted."""
        if self.is_short(now):
            return False
        self.spend(now)
        return True

    def is_short(self, now: float) -> bool:
        """Whether a lookup that begins now would have to wait."""
        return self.waiting > 0 or self._available(now) < 1

    def spend(self, now: float) -> None:
        """Count a send, whether there was a token for it or not: what is too much, later lookups wait for."""
        self._tokens = self._available(now) - 1
        self.sent_total += 1
        second = int(now)
        if second != self._second:
            self._second, self._sent_in_second = second, 0
            if second - self.peak_from >= _PEAK_SECONDS:
                before = self._peaks[1] if second - self.peak_from < 2 * _PEAK_SECONDS else 0
                self._peaks, self.peak_from = (before, 0), second
        self._sent_in_second += 1
        if self._sent_in_second > self._peaks[1]:
            self._peaks = (self._peaks[0], self._sent_in_second)

    def peak_share(self, now: float) -> float:
        """The most that was sent in one second of the last minute (or two), as a share of the budget."""
        since = now - self.peak_from
        peak = max(self._peaks) if since < _PEAK_SECONDS else self._peaks[1] if since < 2 * _PEAK_SECONDS else 0
        return peak / self.per_second

    def wait(self, client: str, lookup: T) -> bool:
        """Have a lookup wait for its turn (`client`: whose; "": nobody's); False: this client has too many already."""
        queue = self._queues.get(client)
        if queue is None:
            queue = self._queues[client] = deque()
        elif len(queue) >= MOST_WAITING:
            self.refused_total += 1
            return False
        queue.append(lookup)
        self.waiting += 1
        self.deferred_total += 1
        return True

    def leave(self, client: str, lookup: T) -> None:
        """It has waited too long. Cheap for the one that has waited longest, as those are that leave."""
        queue = self._queues[client]
        queue.remove(lookup)
        self.waiting -= 1
        self.refused_total += 1
        if not queue:
            del self._queues[client]

    def following(self, now: float) -> T | None:
        """The lookup whose turn it is, its first send counted; None: there is no token, or nobody waits."""
        if not self._queues or self._available(now) < 1:
            return None
        self._turn = (self._turn + 1) % _REFRESH_TURN
        client = next(iter(self._queues))
        if "" in self._queues and not self._turn:
            client = ""
        elif client == "" and len(self._queues) > 1:
            self._queues.move_to_end("")
            client = next(iter(self._queues))
        queue = self._queues[client]
        lookup = queue.popleft()
        self.waiting -= 1
        if queue:
            self._queues.move_to_end(client)
        else:
            del self._queues[client]
        self.spend(now)
        return lookup

    def ready_at(self, now: float) -> float:
        """When there will be a token."""
        return now + max(1 - self._available(now), 0) / self._rate

    def _available(self, now: float) -> float:
        if now > self._filled_at:
            self._tokens = min(self._tokens + (now - self._filled_at) * self._rate, self._most)
            self._filled_at = now
        return self._tokens
