"""resolv.conf: nameservers that are addresses, search domains that are names in wire form."""

from collections.abc import Iterator
from ipaddress import ip_address

from resolver.config.resolvconf import parse_resolv_conf, parse_searches
from resolver.message import names
from resolver.ops.zones import _searches


def seeds() -> Iterator[bytes]:
    yield b"nameserver 10.96.0.10\nnameserver fe80::1%eth0\nsearch svc.cluster.local. example.com\noptions ndots:2\n"
    yield b"# comment\nnameserver\t::1 trailing\n;nameserver 1.1.1.1\ndomain Example.COM\n nameserver 9.9.9.9\r\n"


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = parse_resolv_conf(text)
    assert len(set(found)) == len(found)
    assert all(str(ip_address(each)) == each for each in found)
    domains = _searches(text)
    assert len(domains) <= len(parse_searches(text))
    for domain in domains:
        assert len(domain) <= 255
        assert names.to_wire(names.to_text(domain)) == domain == domain.lower()
