"""Whether a client got what an `answer` line says.

Exact for our engine in its own time. Where time is real a TTL may be a second off; and of a reference only what the
claim is about is compared: any order of records, any letters in names, a reason more than expected, another server's
own habits in flags that nobody named.
"""

from typing import Protocol

from dnslib import QTYPE, RCODE, RR, DNSError, DNSRecord

from resolver.message import codes
from tests.scenarios.language import SECTIONS, Step
from tests.unit.builders import KEEPALIVE_OPTION, ede_of, line, parsed, records
from tests.unit.walker import walk
from tests.unit.world import Asked

_HEADER_BYTES = 12
_STALE = str(codes.EDE_STALE_ANSWER)
_ANY_TTL = 2**32
_OUR_OPTIONS = {codes.OPTION_EDE, codes.OPTION_KEEPALIVE}


class Strictness(Protocol):
    """How much of a reply is compared."""

    exact: bool
    """It is our own resolver: all of it."""
    reasons: frozenset[str] | None
    """The extended errors that are compared where a story names them; None: all, and no others may be there."""

    @property
    def ttl_slack(self) -> int:
        """Seconds by which a TTL may be off."""


def check_reply(step: Step, asked: Asked, how: Strictness) -> None:
    """AssertionError where the reply is another than the step says."""
    packet, exact = asked.reply, how.exact
    try:
        reply = parsed(packet)
    except DNSError as problem:
        raise AssertionError(f"not a DNS message: {problem}") from None
    assert packet[:2] == asked.packet[:2], "the ID is another"
    if reply.questions:
        question = walk(packet).questions[0]
        assert asked.packet[12 : 12 + len(question)] == question, "the question is another"
    opts = [rr for rr in reply.ar if rr.rtype == QTYPE.OPT]
    assert len(opts) < 2, "there is more than one OPT record"
    assert not opts or _has_opt(asked.packet), "there is an OPT record, and none was sent"
    assert not step.flag("opt") or opts, "there is no OPT record"
    _check_flags(step, reply, exact=exact)
    _check_options(step, opts, exact=exact)
    ede, wanted = ede_of(packet), step.options.pop("ede", None)
    if how.reasons is None or wanted in how.reasons:
        assert (None if ede is None else str(ede[0])) == wanted, f"the extended error is {ede}"
    how_many, unordered = step.options.pop("records", None), step.flag("unordered") or not exact
    assert how_many is None or len(reply.rr) == int(how_many), f"there are {len(reply.rr)} records"
    (name,) = step.done(1)
    rcode = reply.header.rcode | (opts[0].ttl >> 24 << 4 if opts else 0)
    assert rcode == _rcode(name), f"the rcode is {codes.RCODE_NAMES.get(rcode, rcode)}"
    if how_many is None:
        # How long a stale answer is told is each server's own affair.
        ttl_slack = _ANY_TTL if wanted == _STALE and not exact else how.ttl_slack
        _check_records(step, reply, unordered=unordered, ttl_slack=ttl_slack, exact=exact)


def shown_reply(packet: bytes) -> str:
    """For messages."""
    try:
        return str(parsed(packet))
    except DNSError:
        return packet.hex(" ")


def _has_opt(query: bytes) -> bool:
    """Whether a query, which may be no good one, speaks EDNS as far as one can see."""
    return query[10:12] not in (b"", b"\0\0") or len(query) < _HEADER_BYTES


def _check_flags(step: Step, reply: DNSRecord, *, exact: bool) -> None:
    header = reply.header
    found = {"tc": bool(header.tc), "ad": bool(header.ad), "cd": bool(header.cd), "norec": not header.rd}
    for word, is_set in found.items():
        assert step.flag(word) is is_set, f"{word} is {is_set}"
    assert header.qr, "it is no response"
    assert not exact or (header.ra and not header.aa), f"ra is {bool(header.ra)}, aa is {bool(header.aa)}"


def _check_options(step: Step, opts: list[RR], *, exact: bool) -> None:
    options = {option.code for rr in opts for option in rr.rdata}
    keepalive = step.flag("keepalive")
    if exact:
        assert options <= _OUR_OPTIONS, f"nobody asked for the options {options}"
        assert (KEEPALIVE_OPTION in options) is keepalive, f"the options are {options}"


def _rcode(name: str) -> int:
    return codes.BADVERS if name == "BADVERS" else int(getattr(RCODE, name))


def _check_records(step: Step, reply: DNSRecord, *, unordered: bool, ttl_slack: int, exact: bool) -> None:
    sections = zip(SECTIONS, (reply.rr, reply.auth, reply.ar), strict=True)
    found = [(section, rr) for section, rrs in sections for rr in rrs if rr.rtype != QTYPE.OPT]
    expected = [(section, records(record)[0]) for section, record in step.records]
    if unordered:
        found, expected = (sorted(each, key=lambda one: (one[0], _apart(one[1])[0])) for each in (found, expected))
    same = len(found) == len(expected) and all(
        section == other and _same(rr, wanted, ttl_slack=ttl_slack, exact=exact)
        for (section, rr), (other, wanted) in zip(found, expected, strict=True)
    )
    assert same, "the records are others"


def _same(rr: RR, wanted: RR, *, ttl_slack: int, exact: bool) -> bool:
    (text, ttl), (wanted_text, wanted_ttl) = _apart(rr), _apart(wanted)
    if not exact:
        text, wanted_text = text.lower(), wanted_text.lower()
    return text == wanted_text and abs(ttl - wanted_ttl) <= ttl_slack


def _apart(rr: RR) -> tuple[str, int]:
    """A record as in a zone file but for its TTL, and the TTL."""
    owner, ttl, rest = line(rr).split(" ", 2)
    return f"{owner} {rest}", int(ttl)
