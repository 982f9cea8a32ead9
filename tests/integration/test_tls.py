"""A zone with transport tls, through the real program: to whom it speaks, and to whom it does not (RFC 7858).

The provider is an Unbound that offers DNS over TLS with a certificate from an authority made for this test. Only the
resolvers that are told about that authority may believe it.
"""

from collections.abc import Iterator

import pytest

from tests.lab.authority import Authority, make_authority
from tests.lab.dig import dig
from tests.lab.resolver import PATIENT, Resolver, configuration
from tests.lab.scene import Scene, new_name
from tests.lab.servers import Unbound, tls_unbound
from tests.lab.topology import WORLD_AUTHORITY
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd", "openssl")

PROVIDER = "192.0.2.73"
NAME = "dns.example.net"
NETWORK_ERROR = 23


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), f"DNS:{NAME}", f"IP:{PROVIDER}")


@pytest.fixture(scope="module")
def provider(debian: Scene[Unbound], authority: Authority) -> Iterator[Unbound]:
    world = debian.lab.world
    world.ip("address", "add", f"{PROVIDER}/24", "dev", "eth0")
    server = tls_unbound(world, PROVIDER, debian.folder, WORLD_AUTHORITY, authority)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def believing(debian: Scene[Unbound], authority: Authority, upstream: str) -> Iterator[Resolver]:
    """A resolver that trusts the authority and asks `upstream` for the world's names."""
    over_tls = configuration(world={"upstreams": [upstream], "transport": "tls", **PATIENT})
    with debian.resolver(over_tls, environment={"SSL_CERT_FILE": str(authority.certificate)}) as running:
        yield running


@pytest.mark.parametrize("upstream", [f"{PROVIDER}#{NAME}", PROVIDER, f"{PROVIDER}:853#{NAME}"])
@pytest.mark.usefixtures("believing")
def test_names_of_a_tls_zone_are_asked_over_tls_only_and_on_one_connection(
    debian: Scene[Unbound], provider: Unbound
) -> None:
    plain_before, tls_before = provider.counter("num.query.tcp"), provider.counter("num.query.tls")
    udp_before = len(provider.queries())
    for transport in ("+notcp", "+tcp"):
        assert dig(debian.lab.pod, new_name("example.com"), "A", transport).status == "NOERROR"
    assert provider.counter("num.query.tls") == tls_before + 2
    # Unbound counts what came over TLS as TCP as well; besides that it got two markers over UDP.
    assert provider.counter("num.query.tcp") == plain_before + 2
    assert len(provider.queries()) == udp_before + 2


@pytest.mark.parametrize("upstream", [f"{PROVIDER}#other.example.net"])
@pytest.mark.usefixtures("believing")
def test_a_server_whose_certificate_is_for_another_name_is_told_nothing(
    debian: Scene[Unbound], provider: Unbound
) -> None:
    name = new_name("example.com")
    refused = dig(debian.lab.pod, name)
    assert (refused.status, refused.extended_error) == ("SERVFAIL", NETWORK_ERROR)
    assert "TLS handshake failed" in refused.output
    assert provider.asked_for(name) == []


def test_a_server_of_an_unknown_authority_is_told_nothing(debian: Scene[Unbound], provider: Unbound) -> None:
    over_tls = configuration(world={"upstreams": [f"{PROVIDER}#{NAME}"], "transport": "tls", **PATIENT})
    name = new_name("example.com")
    with debian.resolver(over_tls):
        refused = dig(debian.lab.pod, name)
        assert dig(debian.lab.pod, "web.shop.svc.cluster.local").status == "NOERROR"
    assert (refused.status, refused.extended_error) == ("SERVFAIL", NETWORK_ERROR)
    assert provider.asked_for(name) == []


@pytest.mark.parametrize("upstream", [f"{PROVIDER}#{NAME}"])
@pytest.mark.usefixtures("believing")
def test_a_tls_server_that_comes_back_is_used_again(debian: Scene[Unbound], provider: Unbound) -> None:
    assert dig(debian.lab.pod, new_name("example.com")).status == "NOERROR"
    provider.kill()
    try:
        assert dig(debian.lab.pod, new_name("example.com")).status == "SERVFAIL"
    finally:
        provider.start()
    wait_until(lambda: dig(debian.lab.pod, new_name("example.com")).status == "NOERROR", "the provider in use again")


def test_openssl_is_in_memory_only_from_the_reload_on_that_adds_a_tls_zone(
    debian: Scene[Unbound], provider: Unbound, authority: Authority
) -> None:
    # Not measured: coverage brings OpenSSL along.
    trust = {"SSL_CERT_FILE": str(authority.certificate)}
    with debian.resolver(configuration(), measured=False, environment=trust) as resolver:
        assert dig(debian.lab.pod, new_name("example.com")).status == "NOERROR"
        assert resolver.metric("coredns_dns_requests_total") > 0
        assert not resolver.has_mapped("libcrypto")
        before = provider.counter("num.query.tls")
        resolver.configure(configuration(world={"upstreams": [f"{PROVIDER}#{NAME}"], "transport": "tls", **PATIENT}))
        resolver.hang_up()
        wait_until(
            lambda: (
                dig(debian.lab.pod, new_name("example.com")).status == "NOERROR"
                and provider.counter("num.query.tls") > before
            ),
            "the world's names asked over TLS",
        )
        assert resolver.has_mapped("libcrypto")
