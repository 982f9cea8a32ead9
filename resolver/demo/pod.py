"""How a pod looks names up: the part of libc that turns one name into many questions.

`candidates` is the search list and ndots of resolv.conf(5) as glibc applies them; `look_up` asks for A and AAAA of one
candidate after another until one has an address, over UDP, and counts every packet it had to send. The nameservers are
tried in order. Truncated replies are taken as they are: the demo's answers fit.
"""

import secrets
import struct
from dataclasses import dataclass

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from resolver.demo.wire import Address, ask

_KINDS = ("A", "AAAA")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pod's /etc/resolv.conf says; `timeout_seconds` and `attempts` default to glibc's own."""

    nameservers: tuple[Address, ...]
    searches: tuple[str, ...]
    ndots: int
    timeout_seconds: float = 5
    attempts: int = 2


@dataclass(frozen=True, slots=True)
class LookUp:
    """What one look-up came to: `asked` are the names tried in order, `queries` counts packets sent.

    `seconds` is the time spent waiting for servers; what libc and this code do in between is not in it.
    `addresses` is empty when no candidate has any; then `failed` tells "nobody could say" from "there is none".
    """

    name: str
    addresses: tuple[str, ...]
    asked: tuple[str, ...]
    queries: int
    seconds: float
    failed: bool


def default_pod(cluster_dns: Address, namespace: str) -> Settings:
    """Return what kubelet writes for dnsPolicy ClusterFirst in `namespace` of cluster.local."""
    return Settings((cluster_dns,), (f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"), ndots=5)


def opted_in_pod(resolver: Address, cluster_dns: Address) -> Settings:
    """Return what the webhook gives a pod of profile "lean": the node's resolver first, the cluster DNS behind it."""
    return Settings((resolver, cluster_dns), ("svc.cluster.local",), ndots=2, timeout_seconds=1, attempts=1)


def candidates(name: str, settings: Settings) -> tuple[str, ...]:
    """Return the full names (without the last dot) to ask for `name`, in order."""
    if name.endswith("."):
        return (name.rstrip("."),)
    searched = tuple(f"{name}.{domain}" for domain in settings.searches)
    return (name, *searched) if name.count(".") >= settings.ndots else (*searched, name)


async def look_up(name: str, settings: Settings) -> LookUp:
    """Look up the addresses of `name`; never raises for what the servers do."""
    asked: list[str] = []
    addresses: tuple[str, ...] = ()
    queries, seconds, failed = 0, 0.0, False
    for candidate in candidates(name, settings):
        turn = await _ask_in_turn(candidate, settings)
        asked.append(candidate)
        queries += turn.queries
        seconds += turn.seconds
        failed = failed or not turn.replies
        addresses = tuple(str(rr.rdata) for reply in turn.replies for rr in reply.rr if QTYPE[rr.rtype] in _KINDS)
        if addresses:
            break
    return LookUp(name, addresses, tuple(asked), queries, seconds, failed and not addresses)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What asking for one full name came to; no `replies` when no nameserver gave a complete and usable set."""

    replies: tuple[DNSRecord, ...]
    queries: int
    seconds: float


async def _ask_in_turn(name: str, settings: Settings) -> _Turn:
    sent, seconds = 0, 0.0
    for _ in range(settings.attempts):
        for server in settings.nameservers:
            packets = _questions(name)
            replies = await ask(server, packets, settings.timeout_seconds)
            sent += len(packets)
            seconds += replies.seconds
            usable = tuple(reply for reply in map(_usable, replies.packets) if reply is not None)
            if len(usable) == len(packets):
                return _Turn(usable, sent, seconds)
    return _Turn((), sent, seconds)


def _questions(name: str) -> list[bytes]:
    first_id = secrets.randbelow(0xFFFF)
    questions = [DNSRecord.question(name, kind) for kind in _KINDS]
    for offset, question in enumerate(questions):
        question.header.id = first_id + offset
    return [bytes(question.pack()) for question in questions]


def _usable(packet: bytes | None) -> DNSRecord | None:
    """Return the reply if it settles the question: data, NODATA or NXDOMAIN; libc asks the next server otherwise."""
    if packet is None:
        return None
    try:
        reply = DNSRecord.parse(packet)
    except (DNSError, ValueError, struct.error):
        return None
    return reply if reply.header.rcode in (RCODE.NOERROR, RCODE.NXDOMAIN) else None
