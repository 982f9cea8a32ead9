"""The right answers, by hand from the zone files: what a client must find for each name, and who must have been
asked.
"""

from tests.lab.clients import NONE, Found


def _found(v4: str, v6: str = NONE) -> Found:
    return Found(frozenset(v4.split()), frozenset(v6.split()))


NOTHING = _found(NONE)

SERVICES = {
    "web.shop.svc.cluster.local": _found("10.96.12.34", "fd00:96::12:34"),
    "api.shop.svc.cluster.local": _found("10.96.12.35"),
    "db.shop.svc.cluster.local": _found(
        "10.244.1.11 10.244.1.12 10.244.1.13", "fd00:244:1::11 fd00:244:1::12 fd00:244:1::13"
    ),
    "kubernetes.default.svc.cluster.local": _found("10.96.0.1", "fd00:96::1"),
    "missing.shop.svc.cluster.local": NOTHING,
}
"""Services of the cluster by their whole name."""

SHORT_SERVICES = {
    name.removesuffix(".svc.cluster.local"): found for name, found in SERVICES.items() if "missing" not in name
}
"""The same as people write them; an opted-in pod's search domain completes them."""

OUTSIDE = {
    "www.example.com": _found("203.0.113.81", "2001:db8:113::81"),
    "example.com": _found("203.0.113.80", "2001:db8:113::80"),
    "four.example.com": _found("203.0.113.4"),
    "alias.example.com": _found("203.0.113.81", "2001:db8:113::81"),
    "missing.example.com": NOTHING,
}
"""Names of the outside world."""

EXTERNAL_NAME = ("mail.shop.svc.cluster.local", _found("203.0.113.25", "2001:db8:113::25"))
"""A service of type ExternalName: the cluster DNS answers the alias together with the outside address."""

DATABASE_PORTS = (
    "_postgres._tcp.db.shop.svc.cluster.local",
    {f"0 33 5432 db-{number}.db.shop.svc.cluster.local." for number in range(3)},
)
"""The SRV records of a headless service."""
