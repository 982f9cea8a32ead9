"""What the demo says, as text: the opening, the table of look-ups, the sum, and what to try next. Pure."""

import textwrap
from collections.abc import Mapping, Sequence

from resolver.demo.compare import CLUSTER_DNS, OUTSIDE, Comparison, Measured
from resolver.demo.pod import LookUp
from resolver.demo.table import Cell, Column, Group, Look, Row, Tone, render
from resolver.demo.wire import Address

_GROUPS = (
    Group("", (Column("the app asks for"), Column("and gets", optional=True))),
    Group(
        "opted-in pod",
        (Column("answered by"), Column("cache"), Column("ms", right=True), Column("sent", right=True)),
    ),
    Group("default pod", (Column("ms", right=True), Column("sent", right=True))),
)


def opening(servers: Mapping[str, Address], resolver: Address, yaml: str, look: Look) -> str:
    """Return who is where, and the configuration that the resolver is given."""
    whereabouts = {
        CLUSTER_DNS: "stand-in with the services of a shop, 1 to 3 ms away",
        OUTSIDE: "stand-in for everything else, 15 to 25 ms away",
        "resolver": "the real one, told by this resolver.yaml:",
    }
    places = {**servers, "resolver": resolver}
    return "\n".join(
        (
            look.paint("nodelocaldns: a small cluster on loopback, and the resolver in front of it", Tone.STRONG),
            "",
            *(f"  {who:<9} {_place(places[who]):<15} {what}" for who, what in whereabouts.items()),
            "",
            look.paint(textwrap.indent(yaml, "      "), Tone.FAINT),
            _filled(
                "Loopback has no distance, so the two stand-ins wait that long before they answer. Everything else is"
                " real and measured: times by the pods, queries by the servers that got them.",
                look,
            ),
            "",
        )
    )


def told(comparisons: Sequence[Comparison], look: Look) -> str:
    """Return the table with its legend, and the sum of it in one sentence."""
    return "\n".join((render(_GROUPS, rows(comparisons), look), _summary(comparisons, look)))


def rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """Return the table's rows; a name is written once for all its look-ups in a row."""
    made: list[Row] = []
    previous = ""
    for comparison in comparisons:
        mine, other = comparison.opted_in, comparison.default
        again = mine.look_up.name == previous
        previous = mine.look_up.name
        hit = not mine.arrivals and not mine.look_up.failed
        made.append(
            (
                Cell("" if again else previous, Tone.STRONG),
                Cell("" if again else _gets(mine.look_up)),
                Cell(mine.answered_by),
                Cell("hit", Tone.GOOD) if hit else Cell("miss", Tone.COSTLY),
                Cell(f"{mine.look_up.seconds * 1000:.1f}", Tone.GOOD if hit else Tone.PLAIN),
                Cell(str(mine.look_up.queries)),
                Cell(f"{other.look_up.seconds * 1000:.1f}"),
                Cell(str(other.look_up.queries)),
            )
        )
    return made


def invitation(resolver: Address, admin: Address, look: Look) -> str:
    """Return what to type next."""
    dig = f"dig @{resolver[0]} -p {resolver[1]}"
    return "\n".join(
        (
            "Try it (twice, and watch the TTL; dig warns about .local, never mind):",
            look.paint(f"  {dig} web.shop.svc.cluster.local", Tone.STRONG),
            f"  {dig} +tcp www.example.com",
            f"  {dig} _pg._tcp.db.shop.svc.cluster.local SRV",
            f"  curl http://{_place(admin)}/metrics",
            f"  curl 'http://{_place(admin)}/cache?name=www.example.com&type=A'",
            "",
            "Ctrl-C ends the demo.",
        )
    )


def _summary(comparisons: Sequence[Comparison], look: Look) -> str:
    mine, other = [c.opted_in for c in comparisons], [c.default for c in comparisons]
    mine_left = sum(len(m.arrivals) for m in mine)
    # What CoreDNS forwards is not the pod's doing any more.
    other_left = sum(who == CLUSTER_DNS for m in other for who, _ in m.arrivals)
    legend = (
        "sent: queries the pod had to send. The default pod has ndots 5 and three search domains and asks CoreDNS over"
        " UDP. The opted-in pod has ndots 2 and the one search domain svc.cluster.local and asks the resolver on its"
        " node."
    )
    sentence = (
        f"The same {len(comparisons)} look-ups (A and AAAA each) cost the default pod {_queries(other)} queries and"
        f" {_milliseconds(other)} ms of waiting, and {other_left} queries left its node; they cost the opted-in pod"
        f" {_queries(mine)} queries and {_milliseconds(mine)} ms, and {mine_left} left its node."
    )
    return "\n".join((_filled(legend, look), "", look.paint(_filled(sentence, look), Tone.STRONG), ""))


def _gets(done: LookUp) -> str:
    if done.failed:
        return "no answer"
    if not done.addresses:
        return "no such name"
    more = len(done.addresses) - 1
    return done.addresses[0] + (f" +{more}" if more else "")


def _queries(measured: Sequence[Measured]) -> int:
    return sum(m.look_up.queries for m in measured)


def _milliseconds(measured: Sequence[Measured]) -> str:
    return f"{sum(m.look_up.seconds for m in measured) * 1000:.0f}"


def _filled(text: str, look: Look) -> str:
    return textwrap.fill(text, look.width)


def _place(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
