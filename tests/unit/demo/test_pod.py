"""The demo's pods ask what glibc would ask: the names, their order, and how many packets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from resolver.demo.pod import LookUp, Settings, candidates, default_pod, look_up, opted_in_pod
from resolver.demo.server import Server
from resolver.demo.wire import Address
from resolver.demo.zones import CLUSTER_ZONES, OUTSIDE_ZONES, Zones

_NOWHERE: Address = ("127.0.0.1", 1)
_LEAN = opted_in_pod(_NOWHERE, _NOWHERE)
_THREE_SEARCHES = Settings((_NOWHERE,), default_pod(_NOWHERE, "shop").searches, ndots=2)


@pytest.fixture(autouse=True)
def patient_forwarder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster DNS gives up nothing, however busy the machine is."""
    monkeypatch.setattr("resolver.demo.server._FORWARD_SECONDS", 20.0)


def _patient(pod: Settings) -> Settings:
    """A pod that asks nobody twice for want of an answer."""
    return replace(pod, timeout_seconds=20)


def _in_world(play: Callable[[Address], Awaitable[LookUp]]) -> LookUp:
    """Run `play` with the address of a cluster DNS that forwards to the outside."""

    async def bounded() -> LookUp:
        outside = Server(Zones(OUTSIDE_ZONES), [0.0])
        await outside.open()
        cluster = Server(Zones(CLUSTER_ZONES), [0.0], forward_to=outside.address)
        await cluster.open()
        try:
            async with asyncio.timeout(30):
                return await play(cluster.address)
        finally:
            await cluster.close()
            await outside.close()

    return asyncio.run(bounded())


def test_a_name_with_ndots_dots_is_asked_as_it_is_first_and_searched_after() -> None:
    assert candidates("www.example.com", _LEAN) == ("www.example.com", "www.example.com.svc.cluster.local")


def test_a_name_with_fewer_dots_is_searched_first() -> None:
    assert candidates("web.shop", _LEAN) == ("web.shop.svc.cluster.local", "web.shop")


def test_a_name_with_a_last_dot_is_asked_as_it_is_only() -> None:
    assert candidates("web.shop.", _LEAN) == ("web.shop",)


# The number of names asked is what glibc 2.36 asks with the same resolv.conf.
@pytest.mark.parametrize(
    ("name", "found", "names"),
    [
        ("web", False, 2),
        ("web.shop", True, 1),
        ("kubernetes.default", True, 1),
        ("web.shop.svc", False, 2),
        ("web.shop.svc.cluster.local", True, 1),
        ("www.example.com", True, 1),
        ("example.com", True, 2),
    ],
)
def test_an_opted_in_pod_asks_as_few_names_as_glibc(name: str, found: bool, names: int) -> None:
    done = _in_world(lambda dns: look_up(name, _patient(opted_in_pod(dns, dns))))
    assert (bool(done.addresses), len(done.asked), done.queries) == (found, names, 2 * names)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("web", 1),
        ("web.shop", 2),
        ("kubernetes.default", 2),
        ("web.shop.svc", 4),
        ("web.shop.svc.cluster.local", 1),
        ("www.example.com", 1),
        ("example.com", 4),
    ],
)
def test_ndots_2_with_three_search_domains_asks_as_many_names_as_glibc(name: str, names: int) -> None:
    def play(dns: Address) -> Awaitable[LookUp]:
        return look_up(name, _patient(Settings((dns,), _THREE_SEARCHES.searches, _THREE_SEARCHES.ndots)))

    done = _in_world(play)
    assert done.addresses
    assert (len(done.asked), done.queries) == (names, 2 * names)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("web", 1),
        ("web.shop", 2),
        ("web.shop.svc", 3),
        ("web.shop.svc.cluster.local", 4),
        ("www.example.com", 4),
        ("example.com", 4),
    ],
)
def test_a_default_pod_walks_its_search_list(name: str, names: int) -> None:
    done = _in_world(lambda dns: look_up(name, _patient(default_pod(dns, "shop"))))
    assert done.addresses
    assert (len(done.asked), done.queries) == (names, 2 * names)


def test_a_name_that_does_not_exist_is_no_failure() -> None:
    done = _in_world(lambda dns: look_up("gone.shop", _patient(opted_in_pod(dns, dns))))
    assert (done.addresses, done.failed, done.asked) == ((), False, ("gone.shop.svc.cluster.local", "gone.shop"))


def test_a_dead_first_nameserver_costs_packets_but_not_the_answer() -> None:
    async def play(dns: Address) -> LookUp:
        gone = Server(Zones(CLUSTER_ZONES), [0.0])
        await gone.open()
        await gone.close()
        return await look_up("web.shop", _patient(opted_in_pod(gone.address, dns)))

    done = _in_world(play)
    assert (done.addresses, done.queries, done.failed) == (("10.96.12.10",), 4, False)


def test_servers_that_say_nothing_make_a_failed_look_up() -> None:
    async def play(_: Address) -> LookUp:
        gone = Server(Zones(CLUSTER_ZONES), [0.0])
        await gone.open()
        await gone.close()
        return await look_up("web.shop", opted_in_pod(gone.address, gone.address))

    done = _in_world(play)
    assert (done.addresses, done.failed) == ((), True)
