"""Whatever is given: a configuration without mistakes and remarks, or MigrationError."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resolver.config import load
from resolver.migration import Conversion, MigrationError, convert
from resolver.migration.caddyfile import parse
from resolver.migration.forwarding import OPTIONS
from resolver.migration.plugins import PLUGINS, READ
from resolver.migration.tokens import CorefileError, read_tokens

WORDS = st.sampled_from(
    [
        *PLUGINS, *READ, *OPTIONS, "{", "}", "{", "}", "\n", "\n", "\n", ".", ".:53", ".:5353", "cluster.local",
        "a.example,", "(s)", "s", "import", "except", "force_tcp", "policy", "random", "tls_servername", "success",
        "denial", "prefetch", "serve_stale", "verify", "disable", "9984", "30", "0", "-1", "1h", "300ms", "10.0.0.0/22",
        "fd00::/9", "10.96.0.10", "169.254.20.10", "0.0.0.0", "::", "::1", "224.0.0.1", "fe80::1%eth0", "tls://9.9.9.9",
        "tls://[::1]:853%a.example", "tls://", "dns://", "/etc/resolv.conf", "/", "127.0.0.1:5353", ":9253", "{$X}",
        "{%Y%}", "__PILLAR__CLUSTER__DNS__", "__PILLAR__LOCAL__DNS__", "__PILLAR__UPSTREAM__SERVERS__:53", '"', '"a b"',
        "#", "ü.example", "\x00", "no", "%", "a/b",
    ]
)  # fmt: skip
COREFILES = st.lists(WORDS | st.text(max_size=6), max_size=60).map(" ".join)
WHOLE = st.lists(COREFILES.map(lambda body: f". {{\n forward . 192.0.2.1\n {body}\n}}\n"), min_size=1, max_size=3).map(
    "".join
)
VALUES = st.dictionaries(
    st.sampled_from(["X", "Y", "__PILLAR__CLUSTER__DNS__"]), st.text(max_size=20) | st.just("10.96.0.11")
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=10) | COREFILES
KEYS = st.sampled_from(
    ["kind", "metadata", "name", "data", "items", "spec", "template", "containers", "args", "env", "value", "clusterIP",
     "Corefile", "stubDomains", "upstreamNameservers"]
)  # fmt: skip
KINDS = st.sampled_from(
    ["ConfigMap", "Service", "DaemonSet", "List", "kube-dns", "-localip=1.2.3.4", "kube-dns-upstream"]
)
THINGS = st.recursive(
    LEAVES | KINDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


def holds(text: str, values: dict[str, str]) -> Conversion | None:
    """Convert it and see that what came out is good; None if nothing did."""
    try:
        conversion = convert(text, "any\nfile", values)
    except MigrationError as error:
        return None if str(error) else pytest.fail("an error says what is wrong")
    load(conversion.text, "result")
    for remark in conversion.remarks:
        assert str(remark).isprintable() or "any\nfile" in str(remark)
    return conversion


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    place = (1, 1)
    try:
        parse(read_tokens(text))
    except CorefileError as error:
        place = (error.line, error.column)
    assert min(place) >= 1


@given(st.binary(max_size=200).map(lambda raw: raw.decode(errors="replace")) | COREFILES, VALUES)
def test_any_corefile_becomes_a_good_configuration_or_an_error(text: str, values: dict[str, str]) -> None:
    holds(text, values)


@given(WHOLE, VALUES)
def test_whatever_stands_beside_a_forward_leaves_a_good_configuration(text: str, values: dict[str, str]) -> None:
    holds(text, values)


@given(THINGS, st.dictionaries(KEYS, THINGS, max_size=5), VALUES)
def test_any_objects_become_a_good_configuration_or_an_error(
    thing: object, other: object, values: dict[str, str]
) -> None:
    holds(yaml.safe_dump_all([{"apiVersion": "v1", "kind": "ConfigMap", "data": thing}, other]), values)


@given(st.lists(st.sampled_from(sorted({*PLUGINS, "nobody-knows-this"})), max_size=8))
def test_no_plugin_is_passed_over_in_silence(plugins: list[str]) -> None:
    body = "".join(f" {plugin} x\n" if plugin == "import" else f" {plugin}\n" for plugin in plugins)
    conversion = holds(f". {{\n bind 169.254.20.10\n forward . 192.0.2.1\n{body}}}\n", {})
    assert conversion is not None
    lines = {line for remark in conversion.remarks for line in remark.lines}
    assert lines >= set(range(4, 4 + len(plugins)))
