"""Many clients at the same instant, as no command line program can be: a socket each, all sent before any answer."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from dnslib import DNSRecord

from tests.lab.ask import connected, question
from tests.lab.netns import Namespace

PATIENCE_SECONDS = 30.0


@contextlib.contextmanager
def crowd(pod: Namespace, server: str, size: int) -> Iterator[list[socket.socket]]:
    """`size` UDP clients of one server, each with a port of its own."""
    with contextlib.ExitStack() as closing:
        yield [closing.enter_context(connected(pod, server)) for _ in range(size)]


def answers(clients: list[socket.socket]) -> list[DNSRecord]:
    """One answer of each client; fewer when some stay without one for too long."""
    received, waiting = [], set(clients)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while waiting and time.monotonic() < give_up:
        for client in select.select(list(waiting), [], [], 0.5)[0]:
            received.append(DNSRecord.parse(client.recv(65535)))
            waiting.remove(client)
    return received


def ask_many(pod: Namespace, server: str, names: list[str], in_flight: int = 100) -> int:
    """Ask for each name's A record over UDP, at most `in_flight` at a time; returns how many were answered NOERROR."""
    good = 0
    with crowd(pod, server, in_flight) as clients:
        for start in range(0, len(names), in_flight):
            asking = list(zip(clients, names[start : start + in_flight], strict=False))
            for client, name in asking:
                client.send(question(name))
            good += sum(answer.header.rcode == 0 for answer in answers([client for client, _ in asking]))
    return good


@dataclass(slots=True)
class Load:
    """What a load got: answers, and outcomes of every other kind ("SERVFAIL", "timed out", "refused")."""

    answered: int = 0
    otherwise: list[str] = field(default_factory=list)


@contextlib.contextmanager
def load(pod: Namespace, server: str, names: list[str], clients: int) -> Iterator[Load]:
    """Clients that ask for the names in turns, one question after another, for as long as the block lasts."""
    seen, end = Load(), threading.Event()
    threads = [threading.Thread(target=_ask_on, args=(pod, server, names, seen, end)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        end.set()
        for thread in threads:
            thread.join()


def _ask_on(pod: Namespace, server: str, names: list[str], seen: Load, end: threading.Event) -> None:
    with connected(pod, server) as client:
        client.settimeout(PATIENCE_SECONDS)
        while not end.is_set():
            for name in names:
                try:
                    client.send(question(name))
                    rcode = DNSRecord.parse(client.recv(65535)).header.rcode
                except TimeoutError:
                    seen.otherwise.append("timed out")
                    return  # the kernel limits how often it says "refused": a second silence would say nothing new
                except ConnectionRefusedError:
                    seen.otherwise.append("refused")
                    return
                else:
                    if rcode == 0:
                        seen.answered += 1
                    else:
                        seen.otherwise.append(f"rcode {rcode}")
