import re
from pathlib import Path

import pytest

from resolver.config import ConfigError
from webhook.document import complete_example, document
from webhook.schema import CONFIG, load
from webhook.values import Config, TlsMode

PAGE = Path(__file__).parents[3] / "docs" / "webhook-configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == document(), "run: python -m webhook.document > docs/webhook-configuration.md"


def test_the_complete_example_shows_every_key_and_is_the_defaults() -> None:
    example = complete_example()
    assert load(example, "f") == Config() == load("", "f")
    for section in CONFIG.keys:
        for key in section.value.keys:  # type: ignore[union-attr]
            assert re.search(rf"^ +{key.name}: ", example, re.MULTILINE), key.name


def test_the_contract_is_read() -> None:
    config = load(
        """
listen: {address: "::", port: 8443}
tls: {mode: files, certFile: /tls/tls.crt, keyFile: /tls/tls.key}
dns: {localAddress: 169.254.20.10, clusterDNS: [10.96.0.10, "fd00::A"], clusterDomain: cluster.local, ndots: 2}
admin: {address: 0.0.0.0, port: 9254}
""",
        "webhook.yaml",
    )
    assert config.tls.mode is TlsMode.FILES
    assert config.dns.cluster_dns == ("10.96.0.10", "fd00::a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dnss: {}", "dnss: unknown key, did you mean dns?"),
        ("dns: {ndots: '2'}", "dns.ndots: expected a number from 0 to 15, got '2'"),
        ("dns: {clusterDNS: 10.96.0.10}", "dns.clusterDNS: expected a list, got '10.96.0.10'"),
        ("dns: {clusterDNS: ['::ffff:192.0.2.1']}", "dns.clusterDNS[0]: expected an IP address"),
        ("dns: {clusterDNS: ['fe80::1%eth0']}", "dns.clusterDNS[0]: expected an IP address"),
        ("dns: {clusterDNS: [192.0.2.1, 192.0.2.2, 192.0.2.3]}", "dns.clusterDNS: at most 2"),
        ("dns: {clusterDNS: [169.254.20.10]}", "dns.clusterDNS: 169.254.20.10 is localAddress"),
        ("dns: {clusterDomain: Cluster.local}", "dns.clusterDomain: expected a domain name in lower case"),
        ("dns: {clusterDomain: cluster.local.}", "dns.clusterDomain: expected a domain name"),
        (f"dns: {{clusterDomain: {'a.' * 90}a}}", "dns.clusterDomain: expected a domain name"),
        ("tls: {mode: files}", "tls.certFile: must be given in mode files"),
        ("tls: {keyFile: /a}", "tls.keyFile: is for mode files"),
        ("tls: {mode: acme}", "tls.mode: expected one of self, files, got 'acme'"),
        ("listen: {port: 9254}", "admin.port: is listen.port"),
        ("cluster: {service: Web_hook}", "cluster.service: expected a name of a namespace"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, "webhook.yaml")
    assert str(caught.value).splitlines()[0].startswith(f"webhook.yaml: {problem}")
