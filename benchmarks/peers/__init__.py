"""Who is measured: each server in the configuration that people run it with as a cache in front of a cluster's DNS.

One core and one thread each, a forwarder to the same upstream over TCP (where it can: `upstream_transport`), a cache
that holds the names asked for, and otherwise its defaults. A configuration is a function that writes files and returns
a command.
"""

from benchmarks.peers.debian import BIND, DNSDIST, DNSMASQ, KNOT_RESOLVER, POWERDNS_RECURSOR, UNBOUND
from benchmarks.peers.go import COREDNS, NODELOCAL
from benchmarks.peers.own import FLOOR, OURS, PLAIN
from benchmarks.peers.peer import Peer, Site

__all__ = ["ALL", "FLOOR", "NODELOCAL", "OURS", "PLAIN", "PRINCIPAL", "UNBOUND", "Peer", "Site"]

PRINCIPAL = (OURS, PLAIN, NODELOCAL, UNBOUND, FLOOR)
"""Those that figures are compared with: measured in every round, the others in the first rounds only."""

ALL = (*PRINCIPAL, COREDNS, DNSMASQ, DNSDIST, KNOT_RESOLVER, POWERDNS_RECURSOR, BIND)
