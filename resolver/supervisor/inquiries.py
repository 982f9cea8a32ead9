"""Requests to the admin endpoints that one worker passes on to all others, through their supervisor."""

from typing import TYPE_CHECKING, Any, Final

from resolver.supervisor.channel import Message

if TYPE_CHECKING:
    from resolver.supervisor.fleet import Fleet
    from resolver.supervisor.loop import Loop
    from resolver.supervisor.member import Member

PATIENCE_SECONDS: Final = 2.0
"""How long a worker may take for its answer."""
UNDER_WAY: Final = 64
"""Requests at once; the admin endpoints have fewer connections."""


class _Inquiry:
    def __init__(self, asker: "Member", number: object) -> None:
        self.asker = asker
        self.number = number
        self.waiting: set[int] = set()
        self.answers: list[tuple[int, int, str, int]] = []
        """By worker: its number, the status, the body, its process; of who says nothing 0."""


class Inquiries:
    """`begin` with what the asking worker says; `answered` with what others say; `gone` when one has died."""

    def __init__(self, fleet: "Fleet", loop: "Loop") -> None:
        self._fleet = fleet
        self._loop = loop
        self._under_way: dict[int, _Inquiry] = {}
        self._last = 0

    def begin(self, asker: "Member", message: Message) -> None:
        """Ask all others what one worker was asked."""
        inquiry = _Inquiry(asker, message.get("id"))
        if len(self._under_way) >= UNDER_WAY:
            self._finish(inquiry)
            return
        self._last += 1
        number = self._last
        self._under_way[number] = inquiry
        for index, member in enumerate(self._fleet.members):
            if member is asker:
                continue
            if member is None or not member.ready:
                inquiry.answers.append((index, 0, "is being started", 0))
                continue
            inquiry.waiting.add(index)
            self._fleet.tell(member, {"do": "ask", "id": number, "request": message.get("request")})
        self._loop.after(PATIENCE_SECONDS, lambda: self._give_up(number))
        self._look(number)

    def answered(self, member: "Member", message: Message) -> None:
        """Take one answer."""
        number: Any = message.get("id")
        status, body = message.get("status"), message.get("body")
        inquiry = self._under_way.get(number) if isinstance(number, int) else None
        if inquiry is None or member.index not in inquiry.waiting:
            return
        if not isinstance(status, int) or not isinstance(body, str):
            return
        inquiry.waiting.remove(member.index)
        inquiry.answers.append((member.index, status, body, member.pid))
        self._look(number)

    def gone(self, member: "Member") -> None:
        """Nobody waits for this one any more."""
        for number, inquiry in list(self._under_way.items()):
            if inquiry.asker is member:
                del self._under_way[number]
            elif member.index in inquiry.waiting:
                inquiry.waiting.remove(member.index)
                inquiry.answers.append((member.index, 0, "has died", 0))
                self._look(number)

    def _give_up(self, number: int) -> None:
        inquiry = self._under_way.get(number)
        if inquiry is not None:
            inquiry.answers += [(index, 0, f"no answer within {PATIENCE_SECONDS:g} s", 0) for index in inquiry.waiting]
            inquiry.waiting.clear()
            self._look(number)

    def _look(self, number: int) -> None:
        if number in self._under_way and not self._under_way[number].waiting:
            self._finish(self._under_way.pop(number))

    def _finish(self, inquiry: _Inquiry) -> None:
        self._fleet.tell(inquiry.asker, {"do": "told", "id": inquiry.number, "answers": inquiry.answers})
