"""Which names a change of a Service or a slice changes: exactly those, and no others."""

from typing import Any

import pytest
from hypothesis import given

from resolver.kubernetes.names import changed, facts_of_service, facts_of_slice, pack
from tests.unit.kubernetes.objects import slice_of
from tests.unit.kubernetes.test_slices import ANYTHING

PORT = {"name": "http", "port": 80, "protocol": "TCP"}


def service(*ports: dict[str, Any], **spec: Any) -> bytes:
    document = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.1.2", "clusterIPs": ["10.96.1.2"], "ports": [*ports], **spec},
    }
    return pack(facts_of_service(document))


def pods(*endpoints: tuple[str, str], headless: bool, ready: bool = True) -> bytes:
    labels = {"kubernetes.io/service-name": "db", **({"service.kubernetes.io/headless": ""} if headless else {})}
    return pack(
        facts_of_slice(
            {
                "metadata": {"name": "db-1", "namespace": "shop", "labels": labels},
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": ready}, **({"hostname": name} if name else {})}
                    for address, name in endpoints
                ],
                "ports": [PORT],
            }
        )
    )


OWN = {"web.shop", "shop", "2.1.96.10.in-addr.arpa."}


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (b"", service(), OWN),
        (service(), b"", OWN),
        (b"", service(PORT), OWN | {"_http._tcp.web.shop"}),
        (service(PORT), service(), {"_http._tcp.web.shop"}),
        (service(PORT), service({**PORT, "port": 81}), {"_http._tcp.web.shop"}),
        (service(PORT), service(PORT, selector={"a": "b"}), set()),
        (
            service(),
            service(clusterIPs=["10.96.1.2", "fd00::1"]),
            {"web.shop", "1." + "0." * 29 + "d.f.ip6.arpa."},
        ),
        (service(type="ExternalName", externalName="a"), service(type="ExternalName", externalName="b"), {"web.shop"}),
        (service(clusterIP="None", clusterIPs=["None"]), b"", {"web.shop", "shop"}),
        (service({"port": 80}), service({"port": 81}), set()),
    ],
)
def test_a_change_of_a_service_changes_these_names(before: bytes, after: bytes, names: set[str]) -> None:
    assert changed(before, after) == names


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (
            pods(("10.244.0.1", "db-0"), headless=True),
            pods(("10.244.0.1", "db-0"), ("10.244.0.2", "DB-1"), headless=True),
            {"db.shop", "db-1.db.shop", "2.0.244.10.in-addr.arpa.", "_http._tcp.db.shop"},
        ),
        (
            pods(("10.244.0.1", ""), headless=False),
            b"",
            {"10-244-0-1.db.shop", "1.0.244.10.in-addr.arpa."},
        ),
        (pods(("fd00::1", ""), headless=False), b"", {"fd00--1.db.shop", "1." + "0." * 29 + "d.f.ip6.arpa."}),
        (pods(("10.244.0.1", "db-0"), headless=True, ready=False), b"", set()),
        (pack(facts_of_slice({"metadata": {"namespace": "shop"}})), b"", set()),
    ],
)
def test_a_change_of_a_slice_changes_these_names(before: bytes, after: bytes, names: set[str]) -> None:
    assert changed(before, after) == names == changed(after, before)


def test_what_is_kept_of_an_object_is_small() -> None:
    assert len(service(PORT)) < 150
    assert len(pack(facts_of_slice(slice_of(*[f"10.244.0.{n}" for n in range(1, 11)])))) < 1500


@given(ANYTHING)
def test_nothing_in_an_object_makes_reading_it_fail(value: Any) -> None:
    document = value if isinstance(value, dict) else {"metadata": value, "spec": value, "endpoints": value}
    assert changed(pack(facts_of_service(document)), b"") is not None
    pack(facts_of_slice(document))
