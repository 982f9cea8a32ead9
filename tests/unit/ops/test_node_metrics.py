"""There is one node, however many workers tell of it."""

import pytest

from resolver.ops.sums import add_up


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ('nodelocaldns_node_addresses{device="lo"}', "gauge"),
        ("nodelocaldns_node_rules", "gauge"),
        ('nodelocaldns_conntrack_bypass{result="failed"}', "gauge"),
        ('nodelocaldns_node_repairs_total{what="rules"}', "counter"),
        ('coredns_nodecache_setup_errors_total{errortype="iptables"}', "counter"),
    ],
)
def test_what_is_known_of_the_node_is_not_added_up(sample: str, kind: str) -> None:
    text = f"# TYPE {sample.partition('{')[0]} {kind}\n{sample} 1.0\n"
    assert add_up([text, text, text]) == text
