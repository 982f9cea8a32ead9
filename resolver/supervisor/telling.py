"""What a supervisor tells its workers: a configuration and the sockets that are new in it, and what they may show.

Each worker hears of a configuration and of the cluster; what the admin endpoints show of the supervisor is for the
first worker alone, which serves them.
"""

import os

from resolver.listen.holdings import Change, Holdings
from resolver.nodestate import NodeState
from resolver.ops.logs import Logs
from resolver.ops.reload import Reading, ReloadState
from resolver.supervisor.channel import Message
from resolver.supervisor.fleet import Fleet
from resolver.supervisor.member import Member


class Telling:
    """To the workers that there are at that moment; a later one gets what it needs when it is assigned."""

    def __init__(self, fleet: Fleet, holdings: Holdings, logs: Logs) -> None:
        self._fleet = fleet
        self._holdings = holdings
        self._logs = logs
        self._changes_told = 0

    def configuration(self, reading: Reading, change: Change, reloads: ReloadState) -> None:
        """It is in force; `change`: which sockets came with it."""
        for member in self._fleet.present():
            self._pass_on(member, reading, change, reloads)

    def reloads(self, reloads: ReloadState) -> None:
        """What became of changes of the configuration's file."""
        self._to_all({"do": "reloads", "reloads": reloads.told()})

    def cluster(self, told: Message) -> None:
        """What the informer has found out."""
        self._to_all({"do": "inform", "told": told})

    def replaced(self) -> None:
        """How many workers had to be replaced."""
        self._to_first({"do": "replaced", "replaced": self._fleet.replaced})

    def changes(self) -> None:
        """What this process has logged since they were told last."""
        recent = self._logs.recent
        if self._fleet.members[0] is not None and self._changes_told != recent.total:
            self._changes_told = recent.total
            self._to_first({"do": "changes", "changes": recent.changes()})

    def node(self, state: NodeState) -> None:
        """How the node is."""
        self._to_first({"do": "node", "state": state.to_json()})

    def serve(self) -> None:
        """All answer: the admin endpoints may be asked."""
        self._to_first({"do": "serve"})

    def memory_of(self, member: Member) -> int:
        """A descriptor from which what a worker remembers can be read."""
        mine, its = os.pipe()
        self._fleet.tell(member, {"do": "remember"}, [its])
        os.close(its)
        return mine

    def _to_all(self, message: Message) -> None:
        for member in self._fleet.present():
            self._fleet.tell(member, message)

    def _to_first(self, message: Message) -> None:
        member = self._fleet.members[0]
        if member is not None:
            self._fleet.tell(member, message)

    def _pass_on(self, member: Member, reading: Reading, change: Change, reloads: ReloadState) -> None:
        places = []
        descriptors = []
        for place, sockets in self._holdings.of_worker(member.index, change.added).items():
            places += [place] * len(sockets)
            descriptors += [sock.fileno() for sock in sockets]
        admin = change.admin if member.index == 0 else None
        if admin is not None:
            descriptors.append(admin.fileno())
        self._fleet.tell(
            member,
            {
                "do": "apply",
                "config": reading.plain,
                "places": places,
                "admin": admin is not None,
                "reloads": reloads.told(),
            },
            descriptors,
        )
