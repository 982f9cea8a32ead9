"""Whole renderings, read before they were accepted: a change of a template shows as a change of these files.

`python -m tests.unit.chart.test_golden` writes them anew; read the difference before you commit it. What other tests
compare in full is left out: policies and guard, alerts and dashboard.
"""

import difflib
import re
from pathlib import Path

import pytest

from tests.lab.helm import Values, files, merged, preset

GOLDEN = Path(__file__).with_name("golden")
WITHOUT = ("injection/policy.yaml", "injection/guard.yaml", "observability/")
RENDERED: dict[str, Values] = {
    "defaults": {},
    "transparent": preset("kube-proxy-transparent"),
    "cilium": preset("cilium"),
    "cert-manager": preset("cert-manager"),
    "endpoints": {"resolver": {"kubernetes": {"endpoints": True}}},
    "freshness": {"resolver": {"kubernetes": {"freshness": True}}},
    "pods": {"resolver": {"kubernetes": {"pods": True}}},
    "network-policies": merged(
        preset("dual-stack"),
        {
            "dns": {"clusterDNS": "10.96.0.10", "clusterDNSIPv6": "fd00:96::a"},
            "networkPolicy": {"clients": {"namespaces": ["shop"]}, "webhook": {"enabled": True}},
        },
    ),
}


def rendering(name: str) -> str:
    """Everything, without what changes with the version alone; in all files but the first, what differs from that."""
    texts = _texts(RENDERED[name])
    if name == "defaults":
        return "".join(f"# {path}\n{text}\n" for path, text in sorted(texts.items()))
    plain = _texts({})
    changed = (
        (path, difflib.unified_diff(plain.get(path, "").split("\n"), texts.get(path, "").split("\n"), n=1, lineterm=""))
        for path in sorted({*plain, *texts})
    )
    lines = ((path, list(difference)[2:]) for path, difference in changed)
    return "".join(f"# {path}\n" + "".join(f"{line}\n" for line in found) for path, found in lines if found)


def _texts(values: Values) -> dict[str, str]:
    found = {path: text for path, text in files(values).items() if not path.startswith(WITHOUT)}
    return {path: re.sub(r"(checksum/config: )\w{64}", r"\1...", text).strip() for path, text in found.items()}


@pytest.mark.parametrize("name", RENDERED)
def test_the_rendering_is_the_one_that_was_read(name: str) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert rendering(name) == expected, "python -m tests.unit.chart.test_golden, then read what changed"


if __name__ == "__main__":
    for each in RENDERED:
        (GOLDEN / f"{each}.txt").write_text(rendering(each), encoding="utf-8")
