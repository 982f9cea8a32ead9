import pytest

from resolver.config.values import Admin, Listen, Node
from resolver.node.plan import Plan, plan
from resolver.node.rules import REMOVE

ALL = Node(manage_interface=True, notrack=True)


def planned(*addresses: str, node: Node = ALL, admin: str = "127.0.0.1", port: int = 53) -> Plan:
    return plan(node, Listen(addresses, port), Admin(admin, 9253))


def rules(*addresses: str, admin: str = "127.0.0.1") -> str:
    found = planned(*addresses, admin=admin).rules
    assert found is not None
    return found.put


def test_all_listen_addresses_of_both_families_are_assigned() -> None:
    assert planned("169.254.20.10", "fd00:20::10", "10.96.0.10").assign == (
        "169.254.20.10",
        "fd00:20::10",
        "10.96.0.10",
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.5.5.5", "0.0.0.0", "::", "fe80::1%eth0"])
def test_addresses_that_a_node_has_anyway_are_not_assigned(address: str) -> None:
    assert planned(address) == plan(Node(notrack=True), Listen((address,)), Admin())
    assert planned(address, "169.254.20.10").assign == ("169.254.20.10",)


def test_nothing_is_planned_by_default() -> None:
    assert plan(Node(), Listen(), Admin()) == Plan("", (), None, (), 53)


def test_addresses_that_stand_for_all_get_no_rules() -> None:
    assert planned("0.0.0.0", "::").rules is None
    assert "0.0.0.0" not in rules("0.0.0.0", "169.254.20.10")


def test_both_directions_are_untracked_at_both_hooks() -> None:
    text = rules("169.254.20.10")
    assert text.count("ip daddr { 169.254.20.10 } th dport 53 notrack") == 2
    assert text.count("ip saddr { 169.254.20.10 } th sport 53 notrack") == 2
    assert text.count("priority -300") == 2


def test_questions_are_accepted_coming_in_and_replies_going_out() -> None:
    text = rules("169.254.20.10")
    assert text.count("ip daddr { 169.254.20.10 } th dport 53 accept") == 1
    assert text.count("ip saddr { 169.254.20.10 } th sport 53 accept") == 1


def test_each_family_has_rules_of_its_own() -> None:
    text = rules("169.254.20.10", "10.96.0.10", "fd00:20::10")
    assert "ip daddr { 169.254.20.10, 10.96.0.10 } th dport 53 notrack" in text
    assert "ip6 daddr { fd00:20::10 } th dport 53 notrack" in text


@pytest.mark.parametrize(
    ("admin", "expected"),
    [
        ("127.0.0.1", None),
        ("::1", None),
        ("192.0.2.7", "ip daddr { 192.0.2.7 } tcp dport 9253 notrack"),
        ("2001:db8::7", "ip6 daddr { 2001:db8::7 } tcp dport 9253 notrack"),
        ("0.0.0.0", "ip daddr { 169.254.20.10 } tcp dport 9253 notrack"),
        ("::", "ip6 daddr { fd00:20::10 } tcp dport 9253 notrack"),
    ],
)
def test_probes_are_untracked_where_they_meet_the_resolver(admin: str, expected: str | None) -> None:
    text = rules("169.254.20.10", "fd00:20::10", admin=admin)
    assert text.count("9253") == (0 if expected is None else 4)
    assert expected is None or expected in text


def test_rules_are_counted() -> None:
    found = planned("169.254.20.10", "fd00:20::10", admin="0.0.0.0").rules
    assert found is not None
    assert found.total == found.put.count("notrack") + found.put.count(" accept\n")


def test_no_other_table_is_ever_named() -> None:
    found = planned("169.254.20.10", admin="0.0.0.0").rules
    assert found is not None
    lines = (found.put + REMOVE).splitlines()
    assert {line for line in lines if "table" in line} == {
        "add table inet nodelocaldns",
        "delete table inet nodelocaldns",
        "table inet nodelocaldns {",
    }
