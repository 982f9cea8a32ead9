"""The C libraries of the usual base images, glibc and musl, in a pod whose only nameserver is the resolver."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.clients import Client, Dnsperf, Found, dig_client, glibc, musl, ready_share
from tests.lab.expected import OUTSIDE, SERVICES, SHORT_SERVICES
from tests.lab.resolver import Resolver
from tests.lab.scene import Scene
from tests.lab.servers import Unbound

pytestmark = [
    pytest.mark.needs("netns", "nft", "dig", "dnsperf", "unbound", "nsd", "gcc", "musl-gcc"),
    pytest.mark.usefixtures("resolver"),
]

MAKERS: dict[str, Callable[[Path], Client]] = {
    "glibc": glibc,
    "musl": musl,
    "dig": lambda _: dig_client(),
    "dig over TCP": lambda _: dig_client("+tcp"),
    "dig with padding and a subnet": lambda _: dig_client("+padding=128", "+subnet=10.0.0.0/8", "+bufsize=4096"),
}


@pytest.fixture(scope="module", params=MAKERS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return MAKERS[request.param](tmp_path_factory.mktemp("client"))


@pytest.mark.parametrize(("name", "expected"), [*SERVICES.items(), *SHORT_SERVICES.items(), *OUTSIDE.items()])
def test_client_finds_exactly_the_right_addresses(
    debian: Scene[Unbound], client: Client, name: str, expected: Found
) -> None:
    assert client.lookup(debian.lab.pod, name) == expected


@pytest.mark.parametrize("name", ["api.shop.svc.cluster.local", "missing.shop.svc.cluster.local", "four.example.com"])
def test_what_a_client_asks_again_is_answered_from_ready_replies(
    debian: Scene[Unbound], resolver: Resolver, client: Client, name: str
) -> None:
    replies, ready = ready_share(resolver, client, debian.lab.pod, name)
    assert replies == ready >= 2


@pytest.mark.parametrize("options", [(), ("-e",), ("-e", "-D"), ("-m", "tcp")], ids=["plain", "EDNS", "DO", "TCP"])
def test_what_dnsperf_asks_again_is_answered_from_ready_replies(
    debian: Scene[Unbound], resolver: Resolver, tmp_path: Path, options: tuple[str, ...]
) -> None:
    dnsperf = Dnsperf(options, tmp_path)
    assert ready_share(resolver, dnsperf, debian.lab.pod, "api.shop.svc.cluster.local") == (2, 2)
