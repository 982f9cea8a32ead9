"""Plays a scenario with the real engine: each step acts on the world or checks it, and nothing may go unnoticed.

Before time passes or somebody asks, every query that went upstream must have been named by an `upstream` step and every
reply by an `answer` step; at the end as well. So a scenario says all that happens, not only what it looks for.
"""

from collections.abc import Callable
from dataclasses import replace

from dnslib import QTYPE, RCODE

from resolver.config import Cache, Policy, Transport, Zone
from resolver.message import codes, names
from resolver.upstream.transport import Problem
from tests.scenarios.language import SECTIONS, Scenario, ScenarioError, Step
from tests.unit.builders import answer_packet, ede_of, line, number, parsed, query_packet, records
from tests.unit.walker import walk
from tests.unit.world import CLIENT, Asked, Sent, World, zone

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MIB = 1024 * 1024


def seconds(text: str) -> float:
    """`300ms`, `2s`, `1h`."""
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * _UNITS[unit]


def bits(*words: tuple[bool, int]) -> int:
    """Flags put together."""
    return sum(bit for is_set, bit in words if is_set)


_ZONE_SETTINGS: dict[str, tuple[str, Callable[[str], object]]] = {
    "transport": ("transport", Transport),
    "policy": ("policy", Policy),
    "maxTTL": ("max_ttl", int),
    "maxNTTL": ("max_nttl", int),
    "attemptTimeout": ("attempt_timeout_seconds", seconds),
    "timeout": ("timeout_seconds", seconds),
    "serveStale": ("serve_stale_seconds", seconds),
}


class Player:
    """One play of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._zones: list[Zone] = []
        self._cache = Cache()
        self._allowed: list[str] = []
        self._world: World | None = None
        self._open: dict[str, list[Asked]] = {}
        """Queries whose reply no step has looked at yet."""
        self._sends: dict[str, Sent] = {}
        self._claimed = 0
        self._ids = 0

    @property
    def world(self) -> World:
        """Made when it is first needed, from the settings so far."""
        if self._world is None:
            self._world = World(*self._zones, cache=self._cache, allowed=self._allowed)
        return self._world

    def play(self) -> None:
        """Perform all steps; ScenarioError where the resolver does something else."""
        for step in self._scenario.steps:
            if step.verb in {"ask", "pass"}:
                self._nothing_unnoticed(step.where)
            getattr(self, f"do_{step.verb}")(step)
        self._nothing_unnoticed(f"{self._scenario.path.name}: at the end")

    def _nothing_unnoticed(self, where: str) -> None:
        for sent in self.world.sends[self._claimed :]:
            raise ScenarioError(f"{where}: nobody expected the query to {_described(sent)}")
        for label, group in self._open.items():
            if any(asked.replies or asked.dropped for asked in group):
                raise ScenarioError(f"{where}: nobody looked at what {label} got")

    # Settings

    def do_zone(self, step: Step) -> None:
        """zone NAME... [servers=A,B] [setting=value...]"""
        servers = step.options.pop("servers", "ns1").split(",")
        settings = {}
        for word in list(step.options):
            name, convert = _ZONE_SETTINGS[word]
            settings[name] = convert(step.options.pop(word))
        self._zones.append(zone(*(name.removesuffix(".") or "." for name in step.words), servers=servers, **settings))

    def do_cache(self, step: Step) -> None:
        """cache [staleAfter=200ms] [prefetch=off] [size=16] (MiB)"""
        stale_after, size = seconds(step.options.pop("staleAfter", "200ms")), int(step.options.pop("size", "16"))
        prefetch = step.options.pop("prefetch", "on") == "on"
        step.done(0)
        self._cache = self._cache._replace(size_bytes=size * _MIB, stale_after_seconds=stale_after, prefetch=prefetch)

    def do_allow(self, step: Step) -> None:
        """allow CIDR..."""
        self._allowed += step.words

    # Clients

    def do_ask(self, step: Step) -> None:
        """ask NAME TYPE [as LABEL] [from ADDRESS] [tcp] [do] [cd] [ad] [norec] [edns=SIZE] ..., or ask raw HEX..."""
        label, client = step.after("as", "pod"), step.after("from", CLIENT)
        tcp, times = step.flag("tcp"), int(step.options.pop("times", "1"))
        if label in self._open:
            raise ScenarioError(f"{step.where}: {label} still waits for an answer")
        make = self._raw(step) if step.flag("raw") else self._query(step)
        group = self._open[label] = []
        for _ in range(times):
            self._ids += 1
            group.append(self.world.ask(make(self._ids), tcp=tcp, client=client))

    def _query(self, step: Step) -> Callable[[int], bytes]:
        do, cd, ad, norec = (step.flag(word) for word in ("do", "cd", "ad", "norec"))
        size, version = step.options.pop("edns", None), int(step.options.pop("version", "0"))
        edns = int(size) if size is not None else 1232 if do or version else None
        qclass = step.options.pop("class", "IN")
        name, qtype = step.done(2)
        flags = bits((not norec, codes.RD), (cd, codes.CD), (ad, codes.AD))
        return lambda ident: query_packet(
            name, qtype, qclass=qclass, ident=ident, flags=flags, edns=edns, do=do, version=version
        )

    def _raw(self, step: Step) -> Callable[[int], bytes]:
        packet = bytes.fromhex("".join(step.words))
        return lambda _: packet

    def do_answer(self, step: Step) -> None:
        """answer [LABEL] RCODE [tc] [ad] [cd] [norec] [opt] [unordered] [ede=CODE] [records=N] and its records"""
        for asked in self._taken(step, words=2):
            if len(asked.replies) != 1:
                raise ScenarioError(f"{step.where}: {len(asked.replies)} answers instead of one")
            try:
                _check_reply(replace_step(step), asked)
            except AssertionError as wrong:
                raise ScenarioError(f"{step.where}: {wrong}\n{parsed(asked.reply)}") from None

    def do_waiting(self, step: Step) -> None:
        """waiting [LABEL]"""
        (label,) = step.words or ["pod"]
        if any(asked.replies or asked.dropped for asked in self._open[label]):
            raise ScenarioError(f"{step.where}: {label} waits no more")

    def do_dropped(self, step: Step) -> None:
        """dropped [LABEL]"""
        for asked in self._taken(step, words=1):
            if asked.replies or not asked.dropped:
                raise ScenarioError(f"{step.where}: not dropped")

    def _taken(self, step: Step, words: int) -> list[Asked]:
        """What was asked under the step's label, which is free again now."""
        has_label = bool(step.words) and step.words[0] in self._open and len(step.words) >= words
        label = step.words.pop(0) if has_label else "pod"
        if label not in self._open:
            raise ScenarioError(f"{step.where}: {label} has asked nothing")
        return self._open.pop(label)

    # Servers

    def do_upstream(self, step: Step) -> None:
        """upstream SERVER NAME TYPE [as LABEL] [over TRANSPORT] [do] [cd] [noedns]"""
        label, transport = step.after("as", "last"), step.after("over", "")
        expected = (step.flag("do"), step.flag("cd"), step.flag("noedns"))
        server, name, qtype = step.done(3)
        if self._claimed == len(self.world.sends):
            raise ScenarioError(f"{step.where}: no query went upstream")
        sent = self.world.sends[self._claimed]
        self._claimed += 1
        self._sends[label] = self._sends["last"] = sent
        found = (sent.dnssec_ok, bool(sent.flags & codes.CD), not sent.edns)
        same_question = (sent.server, sent.name, sent.qtype) == (server, name, number(QTYPE, qtype))
        if not same_question or found != expected or transport not in {"", sent.transport.value}:
            raise ScenarioError(f"{step.where}: what went upstream is {_described(sent)}")

    def do_reply(self, step: Step) -> None:
        """reply [LABEL] RCODE [tc] [ad] [aa] [noopt] [ede=CODE:TEXT] [to=NAME] and the records below it"""
        tc, ad, aa, noopt = (step.flag(word) for word in ("tc", "ad", "aa", "noopt"))
        code, _, text = step.options.pop("ede", "").partition(":")
        sent = self._sends[step.words.pop(0) if len(step.words) == 2 else "last"]
        name = step.options.pop("to", sent.name)
        (rcode,) = step.done(1)
        sections = {section: [record for place, record in step.records if place == section] for section in SECTIONS}
        packet = answer_packet(
            name, QTYPE.get(sent.qtype), sections["answer"], authority=sections["authority"],
            additional=sections["additional"], rcode=rcode, tc=tc, ad=ad, aa=aa, edns=not noopt,
            ede=(int(code), text.replace("_", " ").encode()) if code else None,
        )  # fmt: skip
        sent.answer(packet)

    def do_fail(self, step: Step) -> None:
        """fail [LABEL] PROBLEM"""
        sent = self._sends[step.words.pop(0) if len(step.words) == 2 else "last"]
        sent.fail(Problem[step.done(1)[0].upper()])

    # Time and people

    def do_pass(self, step: Step) -> None:
        """pass DURATION"""
        self.world.go(seconds(step.done(1)[0]))

    def do_flush(self, step: Step) -> None:
        """flush NAME [below]"""
        below = step.flag("below")
        self.world.engine.flush(names.to_wire(step.done(1)[0]), below=below)


def replace_step(step: Step) -> Step:
    """A copy whose words may be taken out again."""
    return replace(step, words=list(step.words), options=dict(step.options))


def _described(sent: Sent) -> str:
    extras = [
        word
        for word, is_set in (("do", sent.dnssec_ok), ("cd", sent.flags & codes.CD), ("noedns", not sent.edns))
        if is_set
    ]
    return " ".join([sent.server, sent.name, QTYPE.get(sent.qtype), *extras, f"over {sent.transport.value}"])


def _check_reply(step: Step, asked: Asked) -> None:
    packet = asked.reply
    reply = parsed(packet)
    opts = [rr for rr in reply.ar if rr.rtype == QTYPE.OPT]
    assert packet[:2] == asked.packet[:2], "the ID is another"
    if reply.questions:
        question = walk(packet).questions[0]
        assert asked.packet[12 : 12 + len(question)] == question, "the question is another"
    rcode = reply.header.rcode | (opts[0].ttl >> 24 << 4 if opts else 0)
    unordered, wants_opt = step.flag("unordered"), step.flag("opt")
    header = reply.header
    found = {"tc": bool(header.tc), "ad": bool(header.ad), "cd": bool(header.cd), "norec": not header.rd}
    for word, is_set in found.items():
        assert step.flag(word) is is_set, f"{word} is {is_set}"
    assert not wants_opt or opts, "there is no OPT record"
    ede, wanted = ede_of(packet), step.options.pop("ede", None)
    assert (None if ede is None else str(ede[0])) == wanted, f"the extended error is {ede}"
    how_many = step.options.pop("records", None)
    assert how_many is None or len(reply.rr) == int(how_many), f"there are {len(reply.rr)} records"
    (name,) = step.done(1)
    assert rcode == _rcode(name), f"the rcode is {codes.RCODE_NAMES.get(rcode, rcode)}"
    if how_many is None:
        _check_records(step, packet, unordered=unordered)


def _rcode(name: str) -> int:
    return codes.BADVERS if name == "BADVERS" else int(getattr(RCODE, name))


def _check_records(step: Step, packet: bytes, *, unordered: bool) -> None:
    reply = parsed(packet)
    sections = zip(SECTIONS, (reply.rr, reply.auth, reply.ar), strict=True)
    found = [(section, line(rr)) for section, rrs in sections for rr in rrs if rr.rtype != QTYPE.OPT]
    expected = [(section, line(records(record)[0])) for section, record in step.records]
    same = sorted(found) == sorted(expected) if unordered else found == expected
    assert same, "the records are others"
