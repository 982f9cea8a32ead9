import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.config import parse_resolv_conf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("nameserver 192.0.2.1", ("192.0.2.1",)),
        ("nameserver 192.0.2.1\nnameserver 2001:DB8::1\n", ("192.0.2.1", "2001:db8::1")),
        ("nameserver\t192.0.2.1 \r\nnameserver   192.0.2.2\t# comment\r\n", ("192.0.2.1", "192.0.2.2")),
        ("nameserver fe80::1%eth0", ("fe80::1%eth0",)),
        ("nameserver 192.0.2.1\nnameserver 192.0.2.1", ("192.0.2.1",)),
        ("search example.org\noptions ndots:5\n# nameserver 192.0.2.1\n;nameserver 192.0.2.2", ()),
        (" nameserver 192.0.2.1\nNameserver 192.0.2.1\nnameserver192.0.2.1\nnameservers 192.0.2.1", ()),
        ("nameserver\nnameserver dns.example\nnameserver 192.0.2.256\nnameserver 192.0.2.9", ("192.0.2.9",)),
        ("".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)), tuple(f"192.0.2.{n}" for n in range(1, 6))),
    ],
)
def test_nameservers_are_read_as_libc_reads_them(text: str, expected: tuple[str, ...]) -> None:
    assert parse_resolv_conf(text) == expected


@given(st.text() | st.lists(st.text(alphabet="nameserv .:%1f\t", max_size=30)).map("\nnameserver ".join))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    assert isinstance(parse_resolv_conf(text), tuple)
