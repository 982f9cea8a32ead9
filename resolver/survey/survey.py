"""What a worker knows of who asks what. Pure: listeners tell it of replies, the admin endpoints ask.

It sees a sample of the replies, each with the number of replies it stands for. Everything is in tables of fixed size
(`sketch`), whoever asks and whatever for; together they take some 2.5 MiB when they are full (measured).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from resolver.message import codes
from resolver.message.query import HEADER_BYTES
from resolver.survey.seats import Seats
from resolver.survey.sketch import Row, Sketch

MOST_PODS: Final = 512
MOST_NAMES: Final = 1024
MOST_MISSING: Final = 512
MOST_ASKED: Final = 4096
WINDOW_SECONDS: Final = 10.0


class Owner(NamedTuple):
    """Whose address it is. Of an address that is nobody's, `pod` is the address and the rest is empty."""

    pod: str
    namespace: str = ""
    workload: str = ""
    """Such as `Deployment/web`."""
    lean: bool = False
    """Whether the pod opted in with the lean profile already."""


class Asked(NamedTuple):
    """What one workload asked for, and how it ended."""

    namespace: str
    workload: str
    """Without one, the pod."""
    lean: bool
    name: bytes
    """Wire form, lower case."""
    ended: str
    """answered | empty (no such records) | missing (no such name) | failed."""


class Survey:
    """`saw` for each reply of the sample; `owners` may be replaced at any time."""

    def __init__(self, now: float) -> None:
        self.owners: Mapping[str, Owner] = {}
        """By IP address."""
        self.since = self._window_at = now
        self.total = 0
        """Replies that the sample stands for."""
        self.samples = 0
        self.pods: Sketch[Owner] = Sketch(MOST_PODS)
        self.namespaces: Sketch[str] = Sketch(MOST_PODS)
        self.names: Sketch[bytes] = Sketch(MOST_NAMES)
        self.missing: Sketch[bytes] = Sketch(MOST_MISSING)
        self.asked: Sketch[Asked] = Sketch(MOST_ASKED)
        self.seated_pods: Seats[Owner] = Seats(self.pods)
        self.seated_namespaces: Seats[str] = Seats(self.namespaces)

    def saw(self, client: str, reply: bytes, weight: int) -> None:
        """A reply to a client, that stands for `weight` of them; what has no question that can be read is left out."""
        name = _name_of(reply)
        if name is None:
            return
        owner = self.owners.get(client) or Owner(client)
        rcode = reply[3] & codes.RCODE
        if rcode == codes.NOERROR:
            ended = "answered" if reply[6] or reply[7] else "empty"
        else:
            ended = "missing" if rcode == codes.NXDOMAIN else "failed"
        self.total += weight
        self.samples += 1
        self.pods.add(owner, weight)
        self.namespaces.add(owner.namespace, weight)
        self.names.add(name, weight)
        if ended == "missing":
            self.missing.add(name, weight)
        self.asked.add(Asked(owner.namespace, owner.workload or owner.pod, owner.lean, name, ended), weight)

    def tick(self, now: float) -> None:
        """Call it at least every WINDOW_SECONDS: what is recent becomes what was before."""
        if now - self._window_at < WINDOW_SECONDS:
            return
        self._window_at = now
        self.seated_pods.choose()
        self.seated_namespaces.choose()
        for sketch in (self.pods, self.namespaces, self.names, self.missing):
            sketch.turn()

    def rate(self, row: Row, now: float) -> float:
        """How often in a second, lately."""
        seconds = now - self._window_at + (WINDOW_SECONDS if self._window_at > self.since else 0)
        return (row.recent + row.before) / max(seconds, 1.0)


def _name_of(reply: bytes) -> bytes | None:
    """The name in the question of a reply, in lower case; None: it has none."""
    if len(reply) <= HEADER_BYTES or not reply[5]:
        return None
    offset = HEADER_BYTES
    while length := reply[offset]:
        offset += length + 1
        if offset >= len(reply):
            return None
    return reply[HEADER_BYTES : offset + 1].lower()
