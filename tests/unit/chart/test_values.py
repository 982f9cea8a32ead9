"""values.yaml, its schema and its table agree, and a wrong value is refused with a message that names it."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charts import forms
from charts.document import CHART, documents
from charts.programs import form_of
from charts.schema import FORMS
from charts.values import read, walk
from resolver import __version__
from resolver.config.quantities import Check, boolean
from tests.lab.helm import RefusedError, Values, lint, preset, presets, render

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")


def at(path: str, value: object) -> Values:
    """Values with this one at its path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("path", sorted(documents()), ids=lambda path: path.name)
def test_what_is_written_from_the_values_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == documents()[path], "run: python -m charts.document"


def test_the_chart_installs_the_version_it_lies_beside() -> None:
    chart = (CHART / "Chart.yaml").read_text(encoding="utf-8")
    assert f'appVersion: "{__version__}"' in chart


def test_the_schema_knows_every_value_and_no_other_at_every_level() -> None:
    for value in walk(read(VALUES, FORMS)):
        if value.keys:
            assert value.form["additionalProperties"] is False, value.path
            assert set(value.form["properties"]) == {each.name for each in value.keys}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: true\n", "a has no comment"),
        ("# A.\na: text\n", "a has no form"),
        ("# A.\na: true\n", "no key b"),
        ("- a\n", "is no mapping"),
    ],
)
def test_a_value_without_comment_or_form_is_found(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, {"b": forms.TEXT} if "no key" in message else {})


def test_a_new_kind_of_check_needs_a_form() -> None:
    assert form_of(boolean()) == forms.BOOLEAN
    with pytest.raises(LookupError, match="a new kind"):
        form_of(Check("a new kind of value", str))


WRONG: list[tuple[str, Any, str]] = [
    ("dns.localAddress", "169.254.20.300", "169.254.20.300"),
    ("dns.localAddress", "", "localAddress"),
    ("dns.localAddressIPv6", "169.254.20.10", "169.254.20.10"),
    ("dns.clusterDNS", "kube-dns.kube-system", "kube-dns.kube-system"),
    ("dns.clusterDomain", "cluster.local.", "cluster.local."),
    ("dns.localAdress", "169.254.20.10", "localAdress"),
    ("dns.upstreams", ["10.96.0.10:dns"], "10.96.0.10:dns"),
    ("dns.upstreamService.selector", {"k8s-app": 1}, "k8s-app"),
    ("dns.zones.cluster", {"maxTTL": "30s"}, "maxTTL"),
    ("dns.zones.extra", [{"names": ["corp.example"]}], "upstreams"),
    ("resolver.mode", "transparant", "transparent"),
    ("resolver.user", 0, "user"),
    ("resolver.handoverPath", "run/nodelocaldns", "run/nodelocaldns"),
    ("resolver.config", {"zones": [{"names": ["."], "upstreams": ["192.0.2.1"], "timeout": 1}]}, "timeout"),
    ("resolver.config", {"zones": [{"names": ["."], "upstreams": ["192.0.2.1"], "timeout": "1 s"}]}, "1 s"),
    ("resolver.config", {"cache": {"size": "16MB"}}, "16MB"),
    ("resolver.config", {"listen": {"adresses": []}}, "adresses"),
    ("resolver.resources", {"limit": {}}, "limit"),
    ("resolver.tolerations", [{"operator": "exists"}], "Exists"),
    ("injection.mode", "webhooks", "webhook"),
    ("injection.ndots", "2", "ndots"),
    ("injection.ndots", 16, "ndots"),
    ("injection.failurePolicy", "ignore", "Ignore"),
    ("webhook.tls.mode", "cert-manager", "certManager"),
    ("webhook.tls.caLifetime", "1y", "1y"),
    ("webhook.replicas", 0, "replicas"),
    ("webhook.config", {"tls": {"mode": "none"}}, "mode"),
    ("image.digest", "sha256:abc", "sha256:abc"),
    ("image.pullPolicy", "always", "Always"),
    ("imagePullSecrets", ["a"], "imagePullSecrets"),
]


@pytest.mark.parametrize(("path", "value", "named"), WRONG, ids=[f"{path}-{value}"[:60] for path, value, _ in WRONG])
def test_a_wrong_value_is_refused_by_a_message_that_names_it(path: str, value: object, named: str) -> None:
    with pytest.raises(RefusedError) as caught:
        render(at(path, value))
    message = str(caught.value)
    assert named in message
    if named not in path and isinstance(value, str | int):
        assert f"/{path.replace('.', '/')}" in message


@given(st.ip_addresses().map(str))
def test_every_address_is_a_server(address: str) -> None:
    assert re.search(forms.SERVER["pattern"], address)
    assert re.search(forms.UPSTREAM["pattern"], f"[{address}]:53" if ":" in address else f"{address}:53")


def test_a_chart_of_charts_may_hand_down_global_values() -> None:
    assert render({"global": {"region": "somewhere"}}) == render()


@pytest.mark.parametrize("name", presets())
def test_lint_has_nothing_to_say_about_a_preset(name: str) -> None:
    assert lint(preset(name)) == []


def test_lint_has_nothing_to_say_about_the_defaults() -> None:
    assert lint() == []


def test_lint_would_say_something() -> None:
    assert any("localAddress" in message for message in lint(at("dns.localAddress", "nowhere")))
