"""A pod's search list, a resolver that answers its steps, and small worlds of names to look up there."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from resolver.config import Zone
from resolver.message import codes, names
from resolver.upstream.routes import Routes
from tests.unit.builders import answer_packet, parsed, query_packet
from tests.unit.world import World, zone

CLUSTER = zone("cluster.local", "in-addr.arpa", servers=["cluster"], search_completion=True)
REST = zone(".", servers=["world"])
SOA = "{} 300 IN SOA ns.invalid. admin.invalid. 1 3600 600 86400 5"
SHOP = ("shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local.")
"""The search list of a pod in the namespace shop."""
LEAN = ("svc.cluster.local.",)
SERVICES = {
    "web.shop.svc.cluster.local.": "10.96.0.1",
    "db.data.svc.cluster.local.": "10.96.0.2",
    "pod-0.db.data.svc.cluster.local.": "10.244.0.9",
    "api.example.com.": "192.0.2.1",
    "example.com.": "192.0.2.2",
    "foo.app.": "192.0.2.3",
    "web.data.": "192.0.2.4",
}


class Names:
    """A resolver whose servers know these addresses by name, and nothing else."""

    def __init__(self, known: Mapping[str, str] = SERVICES, *zones: Zone, searches: Sequence[str] = ()) -> None:
        self.known = known
        self.world = World(*(zones or (CLUSTER, REST)))
        if searches:
            routes = Routes(self.world.engine.routes.all, [names.to_wire(each) for each in searches])
            self.world.engine.reconfigure(routes, self.world.cache, ())

    def ask(self, name: str, qtype: str = "A", *, flags: int = 0x0100) -> bytes:
        """The reply to one question, every server answering at once."""
        asked = self.world.ask(query_packet(name, qtype, flags=flags))
        while sends := self.world.waiting_sends:
            for sent in sends:
                sent.answer(self.said(sent.name, "AAAA" if sent.qtype == codes.AAAA else "A"))
        return asked.reply

    def said(self, name: str, qtype: str) -> bytes:
        """What a server says: an address, no data where there are names below, otherwise no such name."""
        soa = SOA.format("cluster.local." if name.endswith("cluster.local.") else ".")
        if name in self.known and qtype == "A":
            return answer_packet(name, qtype, [f"{name} 60 IN A {self.known[name]}"])
        exists = any(each == name or each.endswith("." + name) for each in self.known)
        return answer_packet(name, qtype, authority=[soa], rcode="NOERROR" if exists else "NXDOMAIN")

    def looked_up(self, name: str, searches: Sequence[str], ndots: int) -> tuple[list[str], str | None]:
        """What a pod does with its search list (resolv.conf(5)): the names it asks for and the address it finds."""
        full = [f"{name}.{search}" for search in searches]
        steps = [*full, f"{name}."] if name.count(".") < ndots else [f"{name}.", *full]
        for number, step in enumerate(steps, 1):
            found = [str(rr.rdata) for rr in parsed(self.ask(step)).rr if rr.rtype == codes.A]
            if found:
                return steps[:number], found[0]
        return steps, None


_LABELS = st.sampled_from(["web", "db", "data", "shop", "com", "app", "svc", "cluster", "local"])
NAMES = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)
KNOWN = st.lists(
    st.one_of(
        NAMES.map(lambda name: name + "."),
        st.tuples(_LABELS, _LABELS).map(lambda pair: f"{pair[0]}.{pair[1]}.svc.cluster.local."),
    ),
    max_size=6,
)
