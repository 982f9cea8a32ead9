"""The names of the demo: an imagined shop in a cluster and the imagined world outside, as two zone files.

`Zones` answers from such text the way the server it stands for does: a name with other types is NODATA, an unknown
one NXDOMAIN, both with the zone's SOA (RFC 2308), and CNAME chains are followed as far as the zones reach. The
cluster's records have the shape and the TTL of 5 seconds that CoreDNS's kubernetes plugin gives them.
Outside addresses come from the ranges for documentation (RFC 5737 and RFC 3849).
"""

from dnslib import CLASS, QTYPE, RCODE, RR, DNSRecord

CLUSTER_ZONES = """
$TTL 5
$ORIGIN cluster.local.
@               SOA ns.dns hostmaster 1 7200 1800 86400 5
dns-version     TXT "1.1.0"
kubernetes.default.svc          A   10.96.0.1
kube-dns.kube-system.svc        A   10.96.0.10
$ORIGIN shop.svc.cluster.local.
web             A   10.96.12.10
_http._tcp.web  SRV 0 100 80 web.shop.svc.cluster.local.
pay             A   10.96.12.20
; a headless service: the addresses of its pods
db              A   10.244.1.21
db              A   10.244.2.22
db              A   10.244.3.23
_pg._tcp.db     SRV 0 33 5432 db-0.db.shop.svc.cluster.local.
_pg._tcp.db     SRV 0 33 5432 db-1.db.shop.svc.cluster.local.
_pg._tcp.db     SRV 0 33 5432 db-2.db.shop.svc.cluster.local.
db-0.db         A   10.244.1.21
db-1.db         A   10.244.2.22
db-2.db         A   10.244.3.23
$ORIGIN shop.pod.cluster.local.
10-244-1-21     A   10.244.1.21
10-244-2-22     A   10.244.2.22
10-244-3-23     A   10.244.3.23
$ORIGIN in-addr.arpa.
@               SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5
10.12.96.10     PTR web.shop.svc.cluster.local.
20.12.96.10     PTR pay.shop.svc.cluster.local.
21.1.244.10     PTR db-0.db.shop.svc.cluster.local.
22.2.244.10     PTR db-1.db.shop.svc.cluster.local.
23.3.244.10     PTR db-2.db.shop.svc.cluster.local.
$ORIGIN ip6.arpa.
@               SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5
"""

OUTSIDE_ZONES = """
$TTL 300
$ORIGIN .
@               SOA a.root.example. hostmaster.root.example. 1 1800 900 604800 60
$ORIGIN example.com.
@               SOA ns hostmaster 1 7200 1800 86400 60
@               A   198.51.100.10
@               AAAA 2001:db8:10::10
@               MX  10 mail
@               TXT "v=spf1 mx -all"
mail            A   198.51.100.25
www     60      CNAME www.example.com.edge.example.net.
$ORIGIN example.net.
@               SOA ns hostmaster 1 7200 1800 86400 60
www.example.com.edge    60 CNAME near.edge
near.edge       20 A   203.0.113.7
near.edge       20 A   203.0.113.8
near.edge       20 AAAA 2001:db8:20::7
$ORIGIN partner.example.
@               SOA ns hostmaster 1 7200 1800 86400 60
api     30      A   192.0.2.80
api     30      AAAA 2001:db8:30::80
"""

_LONGEST_CHAIN = 8


class Zones:
    """The records of one server, from zone file text in which every zone has its SOA."""

    def __init__(self, text: str) -> None:
        self._records: dict[str, list[RR]] = {}
        for record in RR.fromZone(text):
            self._records.setdefault(_key(record.rname), []).append(record)
        apexes = {name for name, records in self._records.items() if any(r.rtype == QTYPE.SOA for r in records)}
        self._soa = {name: next(r for r in self._records[name] if r.rtype == QTYPE.SOA) for name in apexes}
        # A name above an existing one exists too, even without records: NODATA, not NXDOMAIN (RFC 8020).
        self._names = {above for name in self._records for above in _upwards(name)}

    def own(self, name: str) -> bool:
        """Whether `name` (any case, with or without the last dot) lies in one of the zones."""
        return self._apex(_key(name)) is not None

    def answer(self, query: DNSRecord) -> DNSRecord:
        """Return the authoritative reply; REFUSED for a name outside the zones, a class but IN, or no question."""
        reply = query.reply(ra=1, aa=1)
        reply.header.ad = 0  # dnslib copies the flags of the query
        name = _key(query.q.qname)
        if len(query.questions) != 1 or query.q.qclass != CLASS.IN or self._apex(name) is None:
            reply.header.aa, reply.header.rcode = 0, RCODE.REFUSED
            return reply
        found: list[RR] = []
        for _ in range(_LONGEST_CHAIN):
            here = self._records.get(name, [])
            found = [record for record in here if query.q.qtype in (record.rtype, QTYPE.ANY)]
            alias = next((record for record in here if record.rtype == QTYPE.CNAME), None)
            if found or alias is None:
                break
            reply.add_answer(alias)
            name = _key(alias.rdata.label)
        reply.add_answer(*found)
        reply.add_ar(*self._targets(found))
        if not found:
            self._deny(name, reply)
        return reply

    def _deny(self, name: str, reply: DNSRecord) -> None:
        apex = self._apex(name)
        if apex is None:  # the chain left the zones: the client goes on by itself
            return
        reply.add_auth(self._soa[apex])
        if name not in self._names:
            reply.header.rcode = RCODE.NXDOMAIN

    def _targets(self, found: list[RR]) -> list[RR]:
        """Return the addresses behind SRV answers, which CoreDNS adds too."""
        names = [_key(record.rdata.target) for record in found if record.rtype == QTYPE.SRV]
        return [r for name in names for r in self._records.get(name, []) if r.rtype in (QTYPE.A, QTYPE.AAAA)]

    def _apex(self, name: str) -> str | None:
        return next((above for above in _upwards(name) if above in self._soa), None)


def _key(name: object) -> str:
    return str(name).lower().rstrip(".") + "."


def _upwards(name: str) -> list[str]:
    """Return `name` (with its last dot) and every name above it, the root last."""
    labels = name.rstrip(".").split(".") if name != "." else []
    return [".".join(labels[start:]) + "." for start in range(len(labels))] + ["."]
