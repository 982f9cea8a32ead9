"""What pods notice when CoreDNS goes away in three ways, and when it returns.

killed: its port answers with RST at once. dark: packets vanish, like a machine without power. frozen: the kernel goes
on taking connections and queries for a process that never answers. The times are reported in build/reports.
"""

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.lab.dig import Dug, dig
from tests.lab.reports import Row, report
from tests.lab.resolver import PATIENT, Resolver, configuration
from tests.lab.scene import Scene, new_name
from tests.lab.servers import CoreDNS
from tests.lab.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd", "go")]

SERVICE = "web.shop.svc.cluster.local"
STALE_ANSWER, NO_REACHABLE_AUTHORITY, NETWORK_ERROR = 3, 22, 23
ASKED_WHILE_STALE = 20


@contextlib.contextmanager
def killed(cluster: Scene[CoreDNS]) -> Iterator[None]:
    cluster.cluster.kill()
    yield
    cluster.cluster.start()


@contextlib.contextmanager
def frozen(cluster: Scene[CoreDNS]) -> Iterator[None]:
    cluster.cluster.freeze()
    yield
    cluster.cluster.thaw()


@contextlib.contextmanager
def dark(cluster: Scene[CoreDNS]) -> Iterator[None]:
    with cluster.lab.cluster.dark():
        yield


OUTAGES = {"killed": killed, "dark": dark, "frozen": frozen}


@pytest.fixture(scope="module")
def rows() -> Iterator[list[Row]]:
    collected: list[Row] = []
    yield collected
    if collected:
        report("outages", collected)


@pytest.fixture
def short_lived(cluster: Scene[CoreDNS]) -> Iterator[Resolver]:
    """Remembers cluster names for one second, so that they are soon stale; otherwise the defaults."""
    with cluster.resolver(configuration(cluster={"maxTTL": 1})) as running:
        yield running


@pytest.mark.parametrize("outage", OUTAGES)
def test_known_names_are_stale_and_unknown_ones_fail_until_coredns_is_back(
    cluster: Scene[CoreDNS], short_lived: Resolver, outage: str, rows: list[Row]
) -> None:
    pod, unknown = cluster.lab.pod, new_name("svc.cluster.local")
    assert dig(pod, SERVICE).data == {"10.96.12.34"}
    with OUTAGES[outage](cluster):
        first_stale = wait_until(lambda: _stale(_known(cluster)), "an answer that says it is stale")
        later = [_known(cluster) for _ in range(ASKED_WHILE_STALE)]
        missed = dig(pod, unknown)
        health, _ = short_lived.admin("/health")
    returned = time.monotonic()
    fresh = wait_until(lambda: _fresh(_known(cluster)), "a fresh answer")
    fresh_after = time.monotonic() - returned
    wait_until(lambda: dig(pod, unknown).status == "NOERROR", "the name that was unknown")

    assert all(answer.extended_error == STALE_ANSWER and answer.answer[0].ttl <= 30 for answer in later)
    assert health == 200, "restarting the resolver would bring nothing back"
    assert missed.status == "SERVFAIL"
    assert missed.extended_error in {NO_REACHABLE_AUTHORITY, NETWORK_ERROR}
    assert fresh.data == {"10.96.12.34"}
    rows.append(
        {
            "outage": outage,
            "first stale answer, ms": first_stale.milliseconds,
            "slowest of 20 stale, ms": max(answer.milliseconds or 0 for answer in later),
            "SERVFAIL for unknown, ms": missed.milliseconds,
            "fresh after return, s": fresh_after,
            "EDE of SERVFAIL": missed.extended_error,
        }
    )


@pytest.mark.parametrize("outage", OUTAGES)
def test_outside_names_are_answered_as_ever_while_coredns_is_away(cluster: Scene[CoreDNS], outage: str) -> None:
    pod = cluster.lab.pod
    with cluster.resolver(configuration(world=PATIENT)):
        with OUTAGES[outage](cluster):
            answers = [dig(pod, new_name("example.com")) for _ in range(5)]
        assert {(answer.status, answer.extended_error) for answer in answers} == {("NOERROR", None)}
        wait_until(lambda: dig(pod, new_name("svc.cluster.local")).status == "NOERROR", "CoreDNS in use again")


@pytest.mark.usefixtures("resolver")
def test_an_unknown_name_is_no_nxdomain_while_its_server_is_away(cluster: Scene[CoreDNS]) -> None:
    with killed(cluster):
        assert dig(cluster.lab.pod, "missing-and-unasked.shop.svc.cluster.local").status == "SERVFAIL"
    wait_until(
        lambda: dig(cluster.lab.pod, "missing-and-unasked.shop.svc.cluster.local").status == "NXDOMAIN",
        "the truth about a missing name",
    )


def _known(cluster: Scene[CoreDNS]) -> Dug:
    """The known service, which must be answered whatever happens."""
    answer = dig(cluster.lab.pod, SERVICE)
    assert (answer.status, answer.data) == ("NOERROR", {"10.96.12.34"}), answer.output
    return answer


def _stale(answer: Dug) -> Dug | None:
    return answer if answer.extended_error == STALE_ANSWER else None


def _fresh(answer: Dug) -> Dug | None:
    return answer if answer.extended_error is None else None
