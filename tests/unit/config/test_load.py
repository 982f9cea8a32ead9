"""Good and bad values of resolver.yaml; each bad one with the exact message."""

import json
from ipaddress import ip_network

import pytest

from resolver.config import (
    Admin,
    Cache,
    Config,
    ConfigError,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Node,
    Policy,
    ResolvConf,
    ServiceUpstream,
    Transport,
    Upstream,
    Zone,
    load,
)
from resolver.config.plain import from_plain, to_plain

CONTRACT = """
listen:
  addresses: [169.254.20.10]
  port: 53
  workers: 1
  allowedClients: []
zones:
  - names: [cluster.local, in-addr.arpa, ip6.arpa]
    upstreams: [10.96.0.10]
    transport: tcp
    policy: sequential
    maxTTL: 30
    maxNTTL: 10
    attemptTimeout: 300ms
    timeout: 900ms
    serveStale: 1h
  - names: ["."]
    upstreams: [/etc/resolv.conf]
    transport: tcp
cache: {size: 16Mi, staleAfter: 200ms, prefetch: true}
node: {manageInterface: false, interface: nodelocaldns, notrack: false, handoverSocket: "", user: ""}
admin: {address: 127.0.0.1, port: 9253}
log: {format: json, level: info, queries: false}
"""
EXPECTED_CIDR = "expected a CIDR such as 10.0.0.0/8 or fd00::/8, with no bits set behind the prefix"
EXPECTED_DURATION = "expected a duration such as 300ms, 2s or 1h"
WHERE = {"names": "[a.example]", "upstreams": "[192.0.2.1]"}


def zone_text(**keys: str) -> str:
    return "zones: [{" + ", ".join(f"{key}: {value}" for key, value in (WHERE | keys).items()) + "}]"


def zone(**keys: str) -> Zone:
    return load(zone_text(**keys), "f").zones[0]


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, "f")
    lines = str(caught.value).split("\n")
    assert lines == [f"f: {problem}" for problem in caught.value.problems]
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "---\n", CONTRACT])
def test_an_empty_file_and_the_written_out_defaults_are_the_same(text: str) -> None:
    assert load(text, "f") == Config()


def test_every_topic_is_read() -> None:
    text = """
listen: {addresses: [127.0.0.1, "0:0::1"], port: 5353, workers: 2, allowedClients: [10.0.0.0/8, "fd00::/8"]}
zones: [{names: [Example.ORG.], upstreams: ["[::1]:5300"], transport: udp, policy: roundRobin, maxTTL: 0, maxNTTL: 1,
         attemptTimeout: 1s, timeout: 1.5s, serveStale: 0s}]
cache: {size: 1Gi, staleAfter: 0s, prefetch: false}
node: {manageInterface: true, interface: dns0, notrack: true, handoverSocket: /run/h.sock, user: "65534"}
admin: {address: "::", port: 80}
log: {format: text, level: debug, queries: true}
"""
    assert load(text, "f") == Config(
        listen=Listen(("127.0.0.1", "::1"), 5353, 2, (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))),
        zones=(
            Zone(
                names=("example.org",),
                upstreams=(Upstream("::1", 5300),),
                transport=Transport.UDP,
                policy=Policy.ROUND_ROBIN,
                max_ttl=0,
                max_nttl=1,
                attempt_timeout_seconds=1.0,
                timeout_seconds=1.5,
                serve_stale_seconds=0.0,
            ),
        ),
        cache=Cache(size_bytes=1 << 30, stale_after_seconds=0.0, prefetch=False),
        node=Node(True, "dns0", True, "/run/h.sock", "65534"),
        admin=Admin("::", 80),
        log=Log(LogFormat.TEXT, LogLevel.DEBUG, True),
    )


@pytest.mark.parametrize(
    ("transport", "text", "expected"),
    [
        ("tcp", "192.0.2.1", Upstream("192.0.2.1", 53)),
        ("udp", "192.0.2.1:5353", Upstream("192.0.2.1", 5353)),
        ("tcp", "2001:DB8::1", Upstream("2001:db8::1", 53)),
        ("tcp", "[2001:db8::1]", Upstream("2001:db8::1", 53)),
        ("tcp", "[2001:db8::1]:65535", Upstream("2001:db8::1", 65535)),
        ("tcp", "fe80::1%eth0", Upstream("fe80::1%eth0", 53)),
        ("tcp", "[fe80::1%eth0]:5353", Upstream("fe80::1%eth0", 5353)),
        ("tcp", "/etc/resolv.conf", ResolvConf("/etc/resolv.conf")),
        ("tls", "/etc/resolv.conf", ResolvConf("/etc/resolv.conf")),
        ("tls", "192.0.2.1", Upstream("192.0.2.1", 853)),
        ("tls", "192.0.2.1#DNS.example.", Upstream("192.0.2.1", 853, "dns.example")),
        ("tls", "192.0.2.1:8853#dns.example", Upstream("192.0.2.1", 8853, "dns.example")),
        ("tls", "2001:db8::1#dns.example", Upstream("2001:db8::1", 853, "dns.example")),
        ("tls", "[2001:db8::1]:8853#dns.example", Upstream("2001:db8::1", 8853, "dns.example")),
    ],
)
def test_upstream_is_read(transport: str, text: str, expected: Upstream | ResolvConf) -> None:
    assert zone(transport=transport, upstreams=f'["{text}"]').upstreams == (expected,)


@pytest.mark.parametrize(
    "text",
    [
        "dns.example", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:", "192.0.2.1:x", "[192.0.2.1]:53",
        "[::1]:", "[::1", "::1]", "[::1]53", "192.0.2.256", "0.0.0.0", "::", "224.0.0.1", "ff02::1",
        "192.0.2.1#", "192.0.2.1#a b", "192.0.2.1#.", "fe80::1%", "fe80::1%a b", "etc/resolv.conf", "/", "",
        " 192.0.2.1", "192.0.2.1\\n", "1.1.1.1@853", "192.0.2.1:٥٣",
    ],
)  # fmt: skip
def test_what_is_not_an_upstream_is_refused(text: str) -> None:
    [problem] = problems(zone_text(transport="tls", upstreams=f'["{text}"]'))
    assert problem.startswith(
        "zones[0].upstreams[0]: "
        "expected address, address:port, [IPv6 address]:port, the absolute path of a resolv.conf, or "
        "{service: namespace/name, address: its address}, got '"
    )


def test_upstream_prints_as_it_is_written() -> None:
    assert str(Upstream("192.0.2.1", 53)) == "192.0.2.1:53"
    assert str(Upstream("2001:db8::1", 853, "dns.example")) == "[2001:db8::1]:853"
    assert str(ResolvConf("/etc/resolv.conf")) == "/etc/resolv.conf"


@pytest.mark.parametrize(
    ("text", "seconds"), [("10ms", 0.01), ("300ms", 0.3), ("0.5s", 0.5), ("59.999s", 59.999), ("0.5m", 30.0)]
)
def test_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert zone(attemptTimeout="10ms", timeout=text).timeout_seconds == seconds


def test_hours_are_read() -> None:
    assert zone(serveStale="24h").serve_stale_seconds == 86400.0


@pytest.mark.parametrize(
    "text",
    [
        "1", "1.5", "true", "null", "[]", "{}", "1:30",
        "9ms", "60s", "1m", "0s", "-1s", "s", "1 s", "1s1ms", "1d", "1S", "1e1s", "٣s",
    ],
)  # fmt: skip
def test_what_is_not_a_timeout_is_refused(text: str) -> None:
    [problem] = problems(zone_text(timeout=text))
    expected = "expected a duration such as 300ms, 2s or 1h, at least 10ms and less than 60s, got "
    assert problem.startswith("zones[0].timeout: " + expected)


@pytest.mark.parametrize("text", ["1Mi", "64Gi", "1024Ki"])
def test_size_within_the_limits_is_read(text: str) -> None:
    assert load(f"cache: {{size: {text}}}", "f").cache.size_bytes >= 1 << 20


@pytest.mark.parametrize(
    "text", ["1023Ki", "65Gi", "16M", "16", "16.5Mi", "16 Mi", "Mi", "-1Mi", "16777216", "null", "true"]
)
def test_what_is_not_a_size_is_refused(text: str) -> None:
    [problem] = problems(f"cache: {{size: {text}}}")
    assert problem.startswith("cache.size: expected a size such as 512Ki, 16Mi or 1Gi, from 1Mi to 64Gi, got ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "expected a mapping, got a list"),
        ("word", "expected a mapping, got 'word'"),
        ("lisen: {}", "lisen: unknown key, did you mean listen?"),
        ("listen: {allowedclients: []}", "listen.allowedclients: unknown key, did you mean allowedClients?"),
        ("admin: {x1: 3}", "admin.x1: unknown key, known here: address, port, tokenFile, top, ownersFile"),
        ("7: 3", "(the number 7): unknown key, known here: listen, zones, cache, node, kubernetes, admin, log"),
        ('"a\\nb": 3', "('a\\nb'): unknown key, known here: listen, zones, cache, node, kubernetes, admin, log"),
        ("listen:", "listen: expected a mapping, got nothing"),
        ("listen: {addresses: 127.0.0.1}", "listen.addresses: expected a list, got '127.0.0.1'"),
        ("listen: {addresses: []}", "listen.addresses: must not be empty"),
        (
            "listen: {addresses: [127.0.0.1, 127.1]}",
            "listen.addresses[1]: expected an IP address, got the number 127.1",
        ),
        ("listen: {addresses: [localhost]}", "listen.addresses[0]: expected an IP address, got 'localhost'"),
        ("listen: {addresses: [ff02::1]}", "listen.addresses[0]: expected an IP address, got 'ff02::1'"),
        ('listen: {addresses: ["::1", "0::1"]}', "listen.addresses[1]: is listed twice"),
        ("listen: {port: 0}", "listen.port: expected a port from 1 to 65535, got the number 0"),
        ("listen: {port: 65536}", "listen.port: expected a port from 1 to 65535, got the number 65536"),
        ("listen: {port: true}", "listen.port: expected a port from 1 to 65535, got true"),
        ('listen: {port: "53"}', "listen.port: expected a port from 1 to 65535, got '53'"),
        ("listen: {port: 53.0}", "listen.port: expected a port from 1 to 65535, got the number 53.0"),
        ("listen: {workers: 65}", "listen.workers: expected a number of processes from 1 to 64, got the number 65"),
        (
            "listen: {allowedClients: [10.0.0.1/8]}",
            f"listen.allowedClients[0]: {EXPECTED_CIDR}, got '10.0.0.1/8'",
        ),
        (
            "listen: {allowedClients: [10.0.0.1]}",
            f"listen.allowedClients[0]: {EXPECTED_CIDR}, got '10.0.0.1'",
        ),
        ("zones: []", "zones: must not be empty"),
        ("zones: {}", "zones: expected a list, got a mapping"),
        (zone_text(names="[]"), "zones[0].names: must not be empty"),
        (zone_text(upstreams="[]"), "zones[0].upstreams: must not be empty"),
        (zone_text(names="[a.b, A.B.]"), "zones[0].names[1]: is listed twice"),
        (zone_text(upstreams="[192.0.2.1, '192.0.2.1:53']"), "zones[0].upstreams[1]: is listed twice"),
        (zone_text(names="[no]"), 'zones[0].names[0]: expected a domain name such as cluster.local, or ".", got false'),
        (
            zone_text(names="[a..b]"),
            "zones[0].names[0]: expected a domain name such as cluster.local, or \".\", got 'a..b'",
        ),
        (zone_text(names="['']"), "zones[0].names[0]: expected a domain name such as cluster.local, or \".\", got ''"),
        (
            zone_text(names="[" + "a" * 64 + "]"),
            'zones[0].names[0]: expected a domain name such as cluster.local, or ".", got \'' + "a" * 64 + "'",
        ),
        (
            zone_text(names="[" + "a." * 128 + "]"),
            "zones[0].names[0]: expected a domain name such as cluster.local, "
            'or ".", got \'' + ("a." * 128)[:77] + "...'",
        ),
        (zone_text(transport="TCP"), "zones[0].transport: expected one of tcp, udp, tls, got 'TCP'"),
        (zone_text(policy="first"), "zones[0].policy: expected one of sequential, random, roundRobin, got 'first'"),
        (
            zone_text(maxTTL="604801"),
            "zones[0].maxTTL: expected a number of seconds from 0 to 604800, got the number 604801",
        ),
        (zone_text(maxTTL="30s"), "zones[0].maxTTL: expected a number of seconds from 0 to 604800, got '30s'"),
        (zone_text(maxNTTL="-1"), "zones[0].maxNTTL: expected a number of seconds from 0 to 604800, got the number -1"),
        (
            zone_text(maxNTTL=".nan"),
            "zones[0].maxNTTL: expected a number of seconds from 0 to 604800, got the number nan",
        ),
        (zone_text(attemptTimeout="901ms"), "zones[0].attemptTimeout: must not be longer than timeout"),
        (
            zone_text(serveStale="720h"),
            f"zones[0].serveStale: {EXPECTED_DURATION}, at least 0s and less than 720h, got '720h'",
        ),
        (
            zone_text(upstreams="[192.0.2.1#a.b]"),
            "zones[0].upstreams[0]: #a.b is for transport tls, this zone's is tcp",
        ),
        (zone_text(upstreams="[169.254.20.10]"), "zones[0].upstreams[0]: 169.254.20.10:53 is this resolver itself"),
        (
            "listen: {addresses: [0.0.0.0]}\nnode: {notrack: true}",
            "node.notrack: needs an address in listen.addresses that is not 0.0.0.0 or ::",
        ),
        ("zones: [{names: [a.b]}]", "zones[0].upstreams: is missing"),
        (
            "zones: [{names: [a.b], upstreams: [192.0.2.1]}, {names: [c.d, a.b], upstreams: [192.0.2.1]}]",
            "zones[1].names[1]: 'a.b' is named in zones[0] already",
        ),
        ("cache: {prefetch: 1}", "cache.prefetch: expected true or false, got the number 1"),
        ("cache: {prefetch: 2001-01-01}", "cache.prefetch: expected true or false, got '2001-01-01'"),
        (
            "cache: {staleAfter: 60s}",
            f"cache.staleAfter: {EXPECTED_DURATION}, at least 0s and less than 60s, got '60s'",
        ),
        ("node: {interface: ..}", "node.interface: expected an interface name of at most 15 characters, got '..'"),
        (
            "node: {interface: nodelocaldns-000}",
            "node.interface: expected an interface name of at most 15 characters, got 'nodelocaldns-000'",
        ),
        (
            "node: {handoverSocket: run/x}",
            "node.handoverSocket: expected an absolute path of at most 107 bytes, or \"\", got 'run/x'",
        ),
        ("node: {user: 65534}", 'node.user: expected a user name, or a user id in quotes, or "", got the number 65534'),
        ("admin: {address: ''}", "admin.address: expected an IP address, got ''"),
        ("log: {level: 3}", "log.level: expected one of debug, info, warning, error, got the number 3"),
        ("log: {format: xml}", "log.format: expected one of json, text, got 'xml'"),
        ("log: {queries: 'yes'}", "log.queries: expected true or false, got 'yes'"),
    ],
)
def test_mistake_is_named_with_its_key(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_all_mistakes_of_a_file_are_reported_at_once() -> None:
    text = "listen: {port: 0}\nlog: {levle: info}\nlog: {levle: info}\nzones: [{maxTTL: x}, 3]\n"
    assert problems(text) == [
        "line 3, column 1: the key 'log' is written twice",
        "listen.port: expected a port from 1 to 65535, got the number 0",
        "log.levle: unknown key, did you mean level?",
        "zones[0].maxTTL: expected a number of seconds from 0 to 604800, got 'x'",
        "zones[0].names: is missing",
        "zones[0].upstreams: is missing",
        "zones[1]: expected a mapping, got the number 3",
    ]


def test_zones_may_share_settings_through_an_anchor() -> None:
    text = """
zones:
  - &shared {names: [a.b], upstreams: [192.0.2.1], maxTTL: 5}
  - {<<: *shared, names: [c.d]}
"""
    assert [(zone.names, zone.max_ttl) for zone in load(text, "f").zones] == [(("a.b",), 5), (("c.d",), 5)]


@pytest.mark.parametrize("addresses", [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("::", "fe80::1%lo")])
def test_an_address_beside_all_of_its_family_is_a_mistake(addresses: tuple[str, str]) -> None:
    first, second = addresses
    assert problems(f'listen: {{addresses: ["{first}", "{second}"], port: 5353}}') == [
        f"listen.addresses[1]: {second} and {first} cannot be listened on at the same time"
    ]


def test_all_addresses_of_one_family_go_with_any_of_the_other() -> None:
    for addresses in (("::", "0.0.0.0"), ("::", "127.0.0.1")):
        assert load(f'listen: {{addresses: ["{addresses[0]}", "{addresses[1]}"]}}', "f").listen.addresses == addresses


def service_zone(text: str, **keys: str) -> str:
    return zone_text(upstreams=text, **keys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{service: kube-system/kube-dns}", ServiceUpstream("kube-system", "kube-dns")),
        ("{service: a/b, address: 10.96.0.10}", ServiceUpstream("a", "b", "10.96.0.10", 53)),
        ('{service: a/b, address: "[fd00::a]:5353"}', ServiceUpstream("a", "b", "fd00::a", 5353)),
    ],
)
def test_a_service_is_an_upstream(text: str, expected: ServiceUpstream) -> None:
    config = load(service_zone(f"[{text}, 192.0.2.1]"), "f")
    assert config.zones[0].upstreams == (expected, Upstream("192.0.2.1"))
    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config


def test_the_address_of_a_service_may_be_a_variable() -> None:
    text = service_zone("[{service: a/b, address: $(KUBE_DNS_SERVICE_HOST)}]")
    (upstream,) = load(text, "f", {"KUBE_DNS_SERVICE_HOST": "10.96.0.9"}).zones[0].upstreams
    assert upstream == ServiceUpstream("a", "b", "10.96.0.9")


@pytest.mark.parametrize(
    "text",
    [
        "{}", "{service: kube-dns}", "{service: a/b/c}", "{service: a/-}", "{service: A/b}", "{service: 7}", "{7: a/b}",
        "{service: a/b, address: here}", "{service: a/b, address: 7}", "{service: a/b, port: 53}",
        '{service: a/b, address: "192.0.2.1#dns.example"}',
    ],
)  # fmt: skip
def test_what_is_not_a_service_is_refused(text: str) -> None:
    [problem] = problems(service_zone(f"[{text}]"))
    assert problem.startswith("zones[0].upstreams[0]: expected address")


def test_a_service_comes_first_alone_and_not_over_tls() -> None:
    assert problems(service_zone("[192.0.2.1, {service: a/b}]")) == [
        "zones[0].upstreams[1]: a service comes first, and there is one at most"
    ]
    assert problems(service_zone("[{service: a/b}]", transport="tls")) == [
        "zones[0].upstreams[0]: a service is asked over tcp or udp, this zone's transport is tls"
    ]
