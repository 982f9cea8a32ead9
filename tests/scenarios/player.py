"""Plays a scenario: each step acts on a world or checks it, and nothing may go unnoticed.

Before time passes or somebody asks, every query that went upstream must have been named by an `upstream` step and every
reply by an `answer` step; at the end as well. So a scenario says all that happens, not only what it looks for.
"""

from collections.abc import Callable

from dnslib import QTYPE

from resolver.message import codes, names
from resolver.upstream.transport import Problem
from tests.scenarios.checks import check_reply, shown_reply
from tests.scenarios.claimed import Claimed, described, respelled
from tests.scenarios.language import SECTIONS, Scenario, ScenarioError, Step, seconds
from tests.scenarios.stage import PureWorld, Query, Settings, Stage, servers_of
from tests.unit.builders import answer_packet, number, query_packet
from tests.unit.world import CLIENT, Asked, zone


def bits(*words: tuple[bool, int]) -> int:
    """Flags put together."""
    return sum(bit for is_set, bit in words if is_set)


class Player:
    """One play of one scenario."""

    def __init__(self, scenario: Scenario, make: Callable[[Settings], Stage] = PureWorld.make) -> None:
        self._scenario = scenario
        self._settings = Settings()
        self._make = make
        self._stage: Stage | None = None
        self._open: dict[str, list[Asked]] = {}
        """Queries whose reply no step has looked at yet."""
        self._labels: dict[str, Claimed] = {}
        self._claims: list[Claimed] = []
        """Since it last was quiet."""
        self._seen = 0
        self._ids = 0
        self._names: dict[str, str] = {}

    @property
    def world(self) -> Stage:
        """Made when it is first needed, from the settings so far."""
        if self._stage is None:
            self._settings.zones = self._settings.zones or [zone()]
            self._stage = self._make(self._settings)
        return self._stage

    def play(self) -> None:
        """Perform all steps; ScenarioError where the resolver does something else."""
        for step in self._scenario.steps:
            if step.verb in {"ask", "pass"}:
                self._nothing_unnoticed(step.where)
            getattr(self, f"do_{step.verb}")(step.copy())
        self._nothing_unnoticed(f"{self._scenario.path.name}: at the end")

    def _nothing_unnoticed(self, where: str) -> None:
        self.world.rest()
        self._hear_repeats()
        for query in self.world.queries[self._seen :]:
            raise ScenarioError(f"{where}: nobody expected the query to {described(query)}")
        for label, group in self._open.items():
            if any(asked.replies or asked.dropped for asked in group):
                raise ScenarioError(f"{where}: nobody looked at what {label} got")
        if not self._open:
            self._claims.clear()

    def _hear_repeats(self) -> None:
        """A reference may ask more than once before it answers: it hears again what it has heard."""
        queries = self.world.queries
        while not self.world.exact and self._seen < len(queries):
            if not any(claim.also(queries[self._seen]) for claim in reversed(self._claims)):
                return
            self._seen += 1

    # Settings

    def do_zone(self, step: Step) -> None:
        """zone NAME... [servers=A,B] [setting=value...]"""
        self._settings.add_zone(step)

    def do_cache(self, step: Step) -> None:
        """cache [staleAfter=200ms] [prefetch=off] [size=16] (MiB)"""
        self._settings.set_cache(step)

    def do_allow(self, step: Step) -> None:
        """allow CIDR..."""
        self._settings.allowed += step.words

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
        options = [each.split(":") for each in step.options.pop("option", "").split(",") if each]
        edns = int(size) if size is not None else 1232 if do or version or options else None
        qclass = step.options.pop("class", "IN")
        name, qtype = step.done(2)
        flags = bits((not norec, codes.RD), (cd, codes.CD), (ad, codes.AD))
        return lambda ident: query_packet(
            name, qtype, qclass=qclass, ident=ident, flags=flags, edns=edns, do=do, version=version,
            options=[(int(code), bytes.fromhex(data)) for code, data in options],
        )  # fmt: skip

    def _raw(self, step: Step) -> Callable[[int], bytes]:
        packet = bytes.fromhex("".join(step.words))
        return lambda _: packet

    def do_answer(self, step: Step) -> None:
        """answer [LABEL] RCODE [tc] [ad] [cd] [norec] [opt] [keepalive] [unordered] [ede=CODE] [records=N], records"""
        world = self.world
        for asked in self._taken(step, words=2):
            self._settle(lambda asked=asked: bool(asked.replies or asked.dropped))  # type: ignore[misc]
            if len(asked.replies) != 1:
                raise ScenarioError(f"{step.where}: {len(asked.replies)} answers instead of one")
            try:
                check_reply(step.copy(), asked, world)
            except AssertionError as wrong:
                raise ScenarioError(f"{step.where}: {wrong}\n{shown_reply(asked.reply)}") from None

    def do_waiting(self, step: Step) -> None:
        """waiting [LABEL]"""
        (label,) = step.words or ["pod"]
        self.world.rest()
        if any(asked.replies or asked.dropped for asked in self._open[label]):
            raise ScenarioError(f"{step.where}: {label} waits no more")

    def do_dropped(self, step: Step) -> None:
        """dropped [LABEL]"""
        for asked in self._taken(step, words=1):
            self._settle(lambda asked=asked: bool(asked.replies or asked.dropped))  # type: ignore[misc]
            if asked.replies or not (asked.dropped or self.world.ttl_slack):
                raise ScenarioError(f"{step.where}: not dropped")

    def _taken(self, step: Step, words: int) -> list[Asked]:
        """What was asked under the step's label, which is free again now."""
        has_label = bool(step.words) and step.words[0] in self._open and len(step.words) >= words
        label = step.words.pop(0) if has_label else "pod"
        if label not in self._open:
            raise ScenarioError(f"{step.where}: {label} has asked nothing")
        return self._open.pop(label)

    def _settle(self, condition: Callable[[], bool]) -> None:
        def come_true() -> bool:
            self._hear_repeats()
            return condition()

        self.world.settle(come_true)

    # Servers

    def do_upstream(self, step: Step) -> None:
        """upstream SERVER NAME TYPE [as LABEL] [over TRANSPORT] [do] [cd] [noedns]"""
        label, transport = step.after("as", "last"), step.after("over", "")
        flags = {word: step.flag(word) for word in ("do", "cd", "noedns")}
        server, name, qtype = step.done(3)
        wanted = (server, name, number(QTYPE, qtype))

        def has_come() -> bool:
            queries = self.world.queries
            if self._seen < len(queries) and not self._fits(queries[self._seen], wanted, flags, transport):
                self._hear_repeats()
            return self._seen < len(queries)

        self.world.settle(has_come)
        if self._seen == len(self.world.queries):
            raise ScenarioError(f"{step.where}: no query went upstream")
        query = self.world.queries[self._seen]
        self._seen += 1
        if not self._fits(query, wanted, flags, transport):
            raise ScenarioError(f"{step.where}: what went upstream is {described(query)}")
        claimed = self._labels[label] = self._labels["last"] = Claimed(query)
        self._claims.append(claimed)

    def _fits(self, query: Query, wanted: tuple[str, str, int], flags: dict[str, bool], transport: str) -> bool:
        found = {"do": query.dnssec_ok, "cd": bool(query.flags & codes.CD), "noedns": not query.edns}
        if not self.world.exact:  # what a server adds of its own accord is its own affair
            found = {word: found[word] for word in found if flags[word]}
            flags = {word: flags[word] for word in found}
        server, *question = wanted
        same = [query.name, query.qtype] == question and self._is(query.server, server)
        return same and found == flags and transport in {"", query.transport.value}

    def _is(self, server: str, wanted: str) -> bool:
        """Whether a server is the one of this name. A reference may ask a zone's servers in an order of its own: the
        names of a story are given to them in the order in which they are asked.
        """
        if self.world.exact:
            return server == wanted
        if server in self._names:
            return self._names[server] == wanted
        siblings = (set(servers_of(zone)) for zone in self._settings.zones)
        free = wanted not in self._names.values() and any({server, wanted} <= servers for servers in siblings)
        if free:
            self._names[server] = wanted
        return free

    def do_reply(self, step: Step) -> None:
        """reply [LABEL] RCODE [tc] [ad] [aa] [noopt] [wrongid] [ede=CODE:TEXT] [to=NAME] and records, or raw HEX..."""
        label = step.words.pop(0) if len(step.words) > 1 and step.words[0] in self._labels else "last"
        claimed = self._labels[label]
        if step.flag("raw"):
            after_id = bytes.fromhex("".join(step.words))
            claimed.tell(lambda query: query.answer(b"\0\0" + after_id))
            return
        tc, ad, aa, noopt, wrong = (step.flag(word) for word in ("tc", "ad", "aa", "noopt", "wrongid"))
        code, _, text = step.options.pop("ede", "").partition(":")
        name = step.options.pop("to", claimed.query.name)
        (rcode,) = step.done(1)
        sections = {section: [record for place, record in step.records if place == section] for section in SECTIONS}
        packet = answer_packet(
            name, QTYPE.get(claimed.query.qtype), sections["answer"], authority=sections["authority"],
            additional=sections["additional"], rcode=rcode, tc=tc, ad=ad, aa=aa, edns=not noopt, ident=int(wrong),
            ede=(int(code), text.replace("_", " ").encode()) if code else None,
        )  # fmt: skip
        if not wrong and name == claimed.query.name:
            claimed.leads_on(step, rcode)
        if not wrong or self.world.ttl_slack:  # without sockets there is no ID to match
            claimed.tell(lambda query: query.answer(respelled(packet, query.question)))

    def do_fail(self, step: Step) -> None:
        """fail [LABEL] PROBLEM"""
        claimed = self._labels[step.words.pop(0) if len(step.words) == 2 else "last"]
        problem = Problem[step.done(1)[0].upper()]
        claimed.tell(lambda query: query.fail(problem))

    # Time and people

    def do_pass(self, step: Step) -> None:
        """pass DURATION"""
        self.world.go(seconds(step.done(1)[0]))

    def do_flush(self, step: Step) -> None:
        """flush NAME [below]"""
        below = step.flag("below")
        self.world.flush(names.to_wire(step.done(1)[0]), below=below)
