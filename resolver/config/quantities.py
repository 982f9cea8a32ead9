"""What one value of resolver.yaml may look like, and the typed value it stands for.

A `Check` is a parser with a sentence: the sentence is both the error message ("expected ..., got ...") and the text of
docs/configuration.md, so that the two cannot disagree. A parser raises ValueError for whatever it does not accept; YAML
gives it any type, and True is not 1 here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Generic, TypeVar

from resolver.config.values import DNS_PORT, AnyUpstream, ResolvConf, ServiceUpstream, Upstream
from resolver.lean.words import Words

T = TypeVar("T")
E = TypeVar("E", bound=Words)

PORT_OF_TRANSPORT = 0  # the port of an upstream that names none, until the zone's transport is known
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_LABEL = re.compile(r"[a-z0-9_/-]{1,63}", re.ASCII)  # "/" is common in delegated reverse zones (RFC 2317)
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,15}", re.ASCII)
_OBJECT = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # namespaces and Services are DNS labels (RFC 1123)
_UPSTREAM = re.compile(
    r"(?:\[(?P<bracketed>[^\]#]+)\](?::(?P<port6>\d{1,5}))?"
    r"|(?P<v4>[0-9.]+):(?P<port4>\d{1,5})"
    r"|(?P<bare>[^#\[\]]+))(?:#(?P<name>.+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """`expected` completes the sentence "expected ..."; `parse` returns the value or raises ValueError."""

    expected: str
    parse: Callable[[object], T]


def complaint(expected: str, value: object) -> str:
    """The sentence for a value that is not what was expected."""
    return f"expected {expected}, got {describe(value)}"


def describe(value: object) -> str:
    """Name a value that came out of YAML, in one line of bounded length."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 1 << 64:
            return "a huge number"  # hexadecimal integers can be longer than Python is willing to print
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= 80 else value[:77] + "...")
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one exception for whatever is not accepted
    return value


def _matched(pattern: str, value: object) -> re.Match[str]:
    match = re.fullmatch(pattern, _text(value), re.ASCII)
    if match is None:
        raise ValueError
    return match


def boolean() -> Check[bool]:
    """A YAML boolean and nothing else."""

    def parse(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError  # noqa: TRY004 - one exception for whatever is not accepted
        return value

    return Check("true or false", parse)


def whole_number(what: str, least: int, most: int) -> Check[int]:
    """An integer from `least` to `most`, both included; `what` says what is counted."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return value

    return Check(f"{what} from {least} to {most}", parse)


def duration(least: str, below: str) -> Check[float]:
    """A duration as text, in seconds: at least `least` and less than `below`, both written as durations."""

    def seconds(value: object) -> float:
        match = _matched(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)", value)
        if match[2] == "ms":
            return float(match[1]) / 1000  # dividing, not times 0.001: 300ms has to be the same float as 0.3
        return float(match[1]) * _SECONDS[match[2]]

    shortest, limit = seconds(least), seconds(below)

    def parse(value: object) -> float:
        result = seconds(value)
        if not shortest <= result < limit:
            raise ValueError
        return result

    return Check(f"a duration such as 300ms, 2s or 1h, at least {least} and less than {below}", parse)


def size(least: str, most: str) -> Check[int]:
    """A size as text, in bytes, from `least` to `most`, both written as sizes."""

    def in_bytes(value: object) -> int:
        match = _matched(r"(\d{1,9})(Ki|Mi|Gi)", value)
        return int(match[1]) * _BYTES[match[2]]

    smallest, largest = in_bytes(least), in_bytes(most)

    def parse(value: object) -> int:
        result = in_bytes(value)
        if not smallest <= result <= largest:
            raise ValueError
        return result

    return Check(f"a size such as 512Ki, 16Mi or 1Gi, from {least} to {most}", parse)


def one_of(choices: type[E]) -> Check[E]:
    """One of an enum's values."""
    return Check("one of " + ", ".join(choices), lambda value: choices(_text(value)))


def matching(expected: str, pattern: str) -> Check[str]:
    """A text that matches the regular expression from end to end."""
    return Check(expected, lambda value: _matched(pattern, value).string)


def address() -> Check[str]:
    """An IP address that a socket can be bound to, in canonical form."""

    def parse(value: object) -> str:
        result = _address(_text(value))
        if result.is_multicast:
            raise ValueError
        return str(result)

    return Check("an IP address", parse)


def network() -> Check[IPv4Network | IPv6Network]:
    """A CIDR with a prefix length and no bits set behind it."""
    return Check(
        "a CIDR such as 10.0.0.0/8 or fd00::/8, with no bits set behind the prefix",
        lambda value: ip_network(_matched(r"[0-9a-fA-F.:]+/\d{1,3}", value).string),
    )


def domain_name() -> Check[str]:
    """A domain name as a zone is named: lower-case, absolute, without the trailing dot; "." is the root."""

    def parse(value: object) -> str:
        name = _text(value).lower()
        if name == ".":
            return name
        name = name.removesuffix(".")
        if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):  # RFC 1035, 2.3.4
            raise ValueError
        return name

    return Check('a domain name such as cluster.local, or "."', parse)


def upstream() -> Check[AnyUpstream]:
    """A server to ask, or a file or a Service with some; a server that names no port gets PORT_OF_TRANSPORT."""

    def parse(value: object) -> AnyUpstream:
        if isinstance(value, dict):
            return _service(value)
        text = _text(value)
        if text.startswith("/"):
            return ResolvConf(_matched(r"/[^\x00]+", text).string)
        return _server(text)

    return Check(
        "address, address:port, [IPv6 address]:port, the absolute path of a resolv.conf, or "
        "{service: namespace/name, address: its address}",
        parse,
    )


def _service(value: dict[object, object]) -> ServiceUpstream:
    if not value.keys() <= {"service", "address"}:
        raise ValueError
    match = _matched(rf"({_OBJECT})/({_OBJECT})", value.get("service"))
    if "address" not in value:
        return ServiceUpstream(match[1], match[2])
    own = _server(_text(value["address"]))
    if own.tls_name is not None:
        raise ValueError
    return ServiceUpstream(match[1], match[2], own.address, own.port or DNS_PORT)


def _server(text: str) -> Upstream:
    match = _UPSTREAM.fullmatch(text)
    if match is None:
        raise ValueError
    host = _address(match["bracketed"] or match["v4"] or match["bare"])
    if host.is_multicast or host.is_unspecified or (match["bracketed"] and host.version == 4):
        raise ValueError
    port_text = match["port6"] or match["port4"]
    if port_text is not None and not 1 <= int(port_text) <= 65535:
        raise ValueError
    name = match["name"]
    return Upstream(str(host), int(port_text or PORT_OF_TRANSPORT), None if name is None else _host_name(name))


def _host_name(name: str) -> str:
    result = domain_name().parse(name)
    if result == "." or "/" in result:
        raise ValueError
    return result


def _address(text: str) -> IPv4Address | IPv6Address:
    result = ip_address(text)
    if isinstance(result, IPv6Address) and result.scope_id is not None and not _SCOPE.fullmatch(result.scope_id):
        raise ValueError
    return result
