"""Many clients at once: one question upstream for all of them, small memory, and an orderly end under load."""

from collections.abc import Iterator

import pytest

from tests.lab.ask import ask, connected, question, receive, send
from tests.lab.crowd import answers, ask_many, crowd, load
from tests.lab.reports import report
from tests.lab.resolver import Resolver, configuration
from tests.lab.scene import Scene, new_name
from tests.lab.servers import CoreDNS
from tests.lab.topology import LOCAL
from tests.lab.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd", "go")]

CLIENTS = 100
LOAD_CLIENTS = 8
NAMES = 10_000
MOST_BYTES = 36 * 1024 * 1024
SLOW = {"attemptTimeout": "5s", "timeout": "10s"}
KNOWN = "kubernetes.default.svc.cluster.local"


@pytest.fixture
def patient(cluster: Scene[CoreDNS]) -> Iterator[Resolver]:
    """Waits longer before it tries a second time: an upstream that is frozen for a moment is asked once, not hedged."""
    with cluster.resolver(configuration(cluster=SLOW, world=SLOW)) as running:
        yield running


@pytest.mark.usefixtures("patient")
def test_100_clients_with_one_uncached_question_cause_one_query_upstream(cluster: Scene[CoreDNS]) -> None:
    pod, name = cluster.lab.pod, new_name("svc.cluster.local")
    assert ask(pod, LOCAL, KNOWN, patience_seconds=30.0) is not None
    cluster.cluster.freeze()
    try:
        with crowd(pod, LOCAL, CLIENTS) as clients:
            for client in clients:
                client.send(question(name))
            # Answered from memory out of the same socket: by now all hundred were read, none can be answered.
            assert ask(pod, LOCAL, KNOWN, patience_seconds=30.0) is not None
            cluster.cluster.thaw()
            received = answers(clients)
    finally:
        cluster.cluster.thaw()
    assert [str(answer.a.rdata) for answer in received] == ["10.96.99.99"] * CLIENTS
    assert len(cluster.cluster.asked_for(name)) == 1


@pytest.mark.usefixtures("patient")
def test_clients_that_leave_do_not_cancel_the_question_of_those_who_stay(cluster: Scene[CoreDNS]) -> None:
    pod, name = cluster.lab.pod, new_name("svc.cluster.local")
    assert ask(pod, LOCAL, KNOWN, patience_seconds=30.0) is not None
    cluster.cluster.freeze()
    try:
        with crowd(pod, LOCAL, 1) as staying:
            with crowd(pod, LOCAL, 10) as leaving:
                for client in leaving:
                    client.send(question(name))
                staying[0].send(question(name))
                assert ask(pod, LOCAL, KNOWN, patience_seconds=30.0) is not None
            cluster.cluster.thaw()
            received = answers(staying)
    finally:
        cluster.cluster.thaw()
    assert [str(answer.a.rdata) for answer in received] == ["10.96.99.99"]
    assert len(cluster.cluster.asked_for(name)) == 1


def test_memory_stays_within_36_mib_with_10000_names(cluster: Scene[CoreDNS]) -> None:
    names = [new_name("example.com") for _ in range(NAMES)]
    with cluster.resolver(configuration(world=SLOW), measured=False) as resolver:
        at_start = resolver.resident_bytes()
        assert ask_many(cluster.lab.pod, LOCAL, names) == NAMES
        entries = resolver.metric("coredns_cache_entries")
        with_names = resolver.resident_bytes()  # once scraped, as it always is in a cluster
    mib = 1024 * 1024
    report(
        "footprint",
        [
            {
                "first answer, s": round(resolver.first_answer_seconds, 3),
                "RSS at start, MiB": sum(at_start.values()) / mib,
                "RSS with 10,000 names, MiB": sum(with_names.values()) / mib,
                "processes": len(with_names),
                "entries": int(entries),
            }
        ],
    )
    assert entries >= NAMES
    assert max(with_names.values()) <= MOST_BYTES


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_sigterm_waits_for_the_answer_to_a_question_that_was_read(
    cluster: Scene[CoreDNS], patient: Resolver, tcp: bool
) -> None:
    pod, unanswered = cluster.lab.pod, new_name("svc.cluster.local")
    assert ask(pod, LOCAL, KNOWN, patience_seconds=30.0) is not None
    with connected(pod, LOCAL, tcp=tcp) as client:
        cluster.cluster.freeze()
        try:
            send(client, question(unanswered))
            # Answered from memory on the same socket: by now the one before it was read as well.
            send(client, question(KNOWN))
            assert str(receive(client).q.qname) == f"{KNOWN}."
            patient.process.terminate()
            wait_until(lambda: ask(pod, LOCAL, KNOWN, tcp=True) is None, "the end of new connections")
        finally:
            cluster.cluster.thaw()
        assert str(receive(client).q.qname) == unanswered
    assert patient.process.wait() == 0


def test_sigterm_under_load_exits_with_status_0_and_fails_nobody_before(cluster: Scene[CoreDNS]) -> None:
    names = [KNOWN, "www.example.com", "missing.example.com", "zero.example.com"]
    patient = configuration(world={"timeout": "10s"})
    with cluster.resolver(patient) as resolver, load(cluster.lab.pod, LOCAL, names, LOAD_CLIENTS) as seen:
        wait_until(lambda: seen.answered > 1_000, "a thousand answers")
        before = set(seen.otherwise)
        assert resolver.stop() == 0
    assert before == {"rcode 3"}
    # While the last lookups come in, new ones are turned away (SERVFAIL: a pod asks its second server at once); whoever
    # asks at the very moment the socket closes is not read, and hears nothing or an ICMP error.
    assert set(seen.otherwise) <= {"rcode 3", "rcode 2", "refused", "timed out"}
    assert seen.otherwise.count("timed out") <= LOAD_CLIENTS
