"""`forward`: servers, transports, policies; and each option's verdict."""

import pytest

from resolver.migration import Grade, MigrationError
from resolver.migration.forwarding import OPTIONS
from tests.unit.migration.conversions import converted, grades, told, zone_of


def forward(words: str, *options: str) -> str:
    body = "".join(f"        {option}\n" for option in options)
    return f".:53 {{\n    bind 169.254.20.10\n    forward . {words} {{\n{body}    }}\n}}\n"


@pytest.mark.parametrize(
    ("words", "upstreams", "transport"),
    [
        ("192.0.2.1", ["192.0.2.1"], "udp"),
        ("192.0.2.1:53 192.0.2.2:5353", ["192.0.2.1", "192.0.2.2:5353"], "udp"),
        ("dns://192.0.2.1", ["192.0.2.1"], "udp"),
        ("2001:db8::1 [2001:db8::2]:53 [2001:db8::3]:54", ["2001:db8::1", "2001:db8::2", "[2001:db8::3]:54"], "udp"),
        ("fe80::1%eth0", ["fe80::1%eth0"], "udp"),
        ("192.0.2.1%eth0", ["192.0.2.1"], "udp"),
        ("tls://9.9.9.9%no..name", ["9.9.9.9"], "tls"),
        ("/etc/resolv.conf", ["/etc/resolv.conf"], "udp"),
        ("/etc/resolv.conf 192.0.2.1", ["/etc/resolv.conf", "192.0.2.1"], "udp"),
        ("192.0.2.1 192.0.2.1", ["192.0.2.1"], "udp"),
        ("tls://9.9.9.9", ["9.9.9.9"], "tls"),
        ("tls://9.9.9.9:853 tls://9.9.9.10:8853", ["9.9.9.9", "9.9.9.10:8853"], "tls"),
        ("tls://9.9.9.9%dns.quad9.net", ["9.9.9.9#dns.quad9.net"], "tls"),
        ("tls://9.9.9.9%DNS.quad9.net:8853", ["9.9.9.9:8853#dns.quad9.net"], "tls"),
        ("tls://2620:fe::fe tls://[2620:fe::9]:853", ["2620:fe::fe", "2620:fe::9"], "tls"),
    ],
)
def test_servers_are_written_as_resolver_yaml_wants_them(words: str, upstreams: list[str], transport: str) -> None:
    zone = zone_of(forward(words))
    assert (zone["upstreams"], zone["transport"]) == (upstreams, transport)


@pytest.mark.parametrize(
    ("options", "transport"),
    [([], "udp"), (["prefer_udp"], "udp"), (["force_tcp"], "tcp"), (["force_tcp", "prefer_udp"], "tcp")],
)
def test_force_tcp_is_tcp_and_everything_else_is_what_clients_use(options: list[str], transport: str) -> None:
    text = forward("192.0.2.1", *options)
    assert zone_of(text)["transport"] == transport
    assert grades(text, "forward") == ([] if options else [Grade.NOTE])


def test_the_name_of_certificates_goes_to_each_server() -> None:
    zone = zone_of(forward("tls://1.1.1.1 tls://1.0.0.1", "tls_servername cloudflare-dns.com"))
    assert zone["upstreams"] == ["1.1.1.1#cloudflare-dns.com", "1.0.0.1#cloudflare-dns.com"]


@pytest.mark.parametrize(
    ("words", "options", "policy"),
    [
        ("192.0.2.1", ["policy random"], "sequential"),
        ("192.0.2.1 192.0.2.2", [], "random"),
        ("192.0.2.1 192.0.2.2", ["policy random"], "random"),
        ("192.0.2.1 192.0.2.2", ["policy round_robin"], "roundRobin"),
        ("192.0.2.1 192.0.2.2", ["policy sequential"], "sequential"),
        ("/etc/resolv.conf", [], "random"),
    ],
)
def test_the_policy_is_coredns_own_default_unless_it_says_another(words: str, options: list[str], policy: str) -> None:
    assert zone_of(forward(words, *options))["policy"] == policy


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        ("192.0.2.1 quic://192.0.2.2", "forward ... quic://192.0.2.2"),
        ("192.0.2.1 dns.example", "forward ... dns.example"),
        ("192.0.2.1 resolv.conf/here", "forward ... resolv.conf/here"),
        ("192.0.2.1 192.0.2.999", "forward ... 192.0.2.999"),
        ("192.0.2.1 192.0.2.1:70000", "forward ... 192.0.2.1:70000"),
    ],
)
def test_a_server_that_cannot_be_asked_is_left_out_and_named(words: str, subject: str) -> None:
    text = forward(words)
    assert zone_of(text)["upstreams"] == ["192.0.2.1"]
    assert grades(text, subject) == [Grade.LEFT_OUT]


def test_a_bad_server_over_tls_is_left_out_and_named() -> None:
    assert grades(forward("tls://9.9.9.9%no..name"), "forward ... tls://9.9.9.9%no..name") == [Grade.LEFT_OUT]
    assert grades(forward("tls://9.9.9.9 tls:///etc/x"), "forward ... tls:///etc/x") == [Grade.LEFT_OUT]


def test_of_a_mixture_the_servers_over_tls_remain() -> None:
    text = forward("192.0.2.1 tls://9.9.9.9")
    assert zone_of(text)["upstreams"] == ["9.9.9.9"]
    assert [message for _, grade, message in told(text, "forward") if grade is Grade.LEFT_OUT] == [
        "a zone has one transport here, and this one is tls: 192.0.2.1 left out"
    ]


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_each_option_without_a_key_is_told(option: str) -> None:
    assert grades(forward("192.0.2.1", f"{option} 1"), f"forward: {option}") == [OPTIONS[option][0]]


@pytest.mark.parametrize(
    ("option", "grade"),
    [
        ("failover SERVFAIL refused", Grade.NOTE),
        ("failover NXDOMAIN", Grade.LEFT_OUT),
        ("tls cert.pem key.pem ca.pem", Grade.LEFT_OUT),
        ("tls_servername not/a/name", Grade.LEFT_OUT),
        ("policy fastest", Grade.CHANGED),
        ("read_timeout soon", Grade.LEFT_OUT),
        ("read_timeout 1us", Grade.CHANGED),
        ("except a:b", Grade.LEFT_OUT),
        ("bogus", Grade.LEFT_OUT),
    ],
)
def test_options_with_arguments_are_judged_by_them(option: str, grade: Grade) -> None:
    name = option.split(maxsplit=1)[0]
    text = forward("tls://192.0.2.1", option)
    found = [each for each in converted(text).remarks if each.subject.startswith(f"forward: {name}")]
    assert [(each.lines, each.grade) for each in found] == [((4,), grade)]


@pytest.mark.parametrize(
    "option", ["tls", "prefer_udp", "tls_servername a.example", "policy random", "read_timeout 1s"]
)
def test_what_is_the_same_here_is_not_spoken_of(option: str) -> None:
    text = forward("tls://192.0.2.1", option)
    assert [each for each in converted(text).remarks if each.subject != "cache"] == []


def test_read_timeout_is_the_time_of_an_attempt() -> None:
    assert zone_of(forward("192.0.2.1", "read_timeout 1m"))["attemptTimeout"] == "4s"
    assert zone_of(forward("192.0.2.1", "read_timeout 1500ms"))["attemptTimeout"] == "1500ms"


@pytest.mark.parametrize("directive", ["forward", "forward .", "forward a:b 192.0.2.1"])
def test_a_forward_that_coredns_would_not_take_leaves_nothing(directive: str) -> None:
    with pytest.raises(MigrationError, match="nothing to forward"):
        converted(f". {{\n bind 169.254.20.10\n {directive}\n}}")
