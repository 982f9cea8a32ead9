"""Queries that a story has named, and what they got."""

from collections.abc import Callable

from dnslib import QTYPE

from resolver.message import codes
from tests.scenarios.language import Step
from tests.scenarios.stage import Query
from tests.unit.builders import answer_packet


class Claimed:
    """A query that an `upstream` step has named, and what it got.

    A reference may ask more than once: who asks the same again hears the same. And it may look for the target of an
    alias by itself although the answer came along: then it hears that part of the answer.
    """

    def __init__(self, query: Query) -> None:
        self.askers = [query]
        self._heard: list[Callable[[Query], None]] = []
        self._chain: tuple[Step, str] | None = None

    @property
    def query(self) -> Query:
        return self.askers[0]

    def tell(self, act: Callable[[Query], None]) -> None:
        self._heard.append(act)
        for asker in self.askers:
            act(asker)

    def leads_on(self, reply: Step, rcode: str) -> None:
        """What it got is this, which may hold aliases."""
        self._chain = (reply, rcode)

    def also(self, query: Query) -> bool:
        """Whether this is the same question again or part of it, which is taken care of then."""
        mine = self.query
        if (query.server, query.qtype) != (mine.server, mine.qtype):
            return False
        if query.name != mine.name:
            return self._follow(query)
        self.askers.append(query)
        for act in self._heard:
            act(query)
        return True

    def _follow(self, query: Query) -> bool:
        """Answer for the target of an alias; False where it is none."""
        reply, rcode = self._chain or (None, "")
        answers = [record.split() for place, record in reply.records if place == "answer"] if reply else []
        if query.name not in {words[-1].lower() for words in answers if words[2] == "CNAME"}:
            return False
        wanted = {query.name}
        for words in answers:
            wanted |= {words[-1].lower()} if words[2] == "CNAME" and words[0].lower() in wanted else set()
        kept = [" ".join(words) for words in answers if words[0].lower() in wanted]
        authority = [record for place, record in reply.records if place == "authority"] if reply else []
        query.answer(answer_packet(query.name, QTYPE.get(query.qtype), kept, authority=authority, rcode=rcode, ident=0))
        return True


def respelled(packet: bytes, question: bytes) -> bytes:
    """The packet with its question in the letters of this one, as servers do; as it is where it has another."""
    end = 12 + len(question)
    return packet[:12] + question + packet[end:] if packet[12:end].lower() == question.lower() else packet


def described(query: Query) -> str:
    extras = [
        word
        for word, is_set in (("do", query.dnssec_ok), ("cd", query.flags & codes.CD), ("noedns", not query.edns))
        if is_set
    ]
    return " ".join([query.server, query.name, QTYPE.get(query.qtype), *extras, f"over {query.transport.value}"])
