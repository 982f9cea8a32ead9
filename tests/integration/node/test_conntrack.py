"""The rules that keep questions out of conntrack: what they do to packets, to other tables, and what the test finds."""

from collections.abc import Callable, Iterator

import pytest

from resolver.config.values import Admin, Listen
from resolver.config.values import Node as NodeSettings
from resolver.node import nftables
from resolver.node.errors import ErrorType, NodeError
from resolver.node.node import Node
from resolver.node.presence import count_rules
from resolver.node.selftest import test_bypass as run_bypass_test
from resolver.nodestate import Bypass, BypassResult
from tests.lab.netns import Namespace, cable, namespaces
from tests.lab.nodeside import FOLLOW, converse, echo, rules, tracked
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.unmeasured

V4, V6, CLUSTER_DNS = "169.254.20.10", "fd00:20::10", "10.96.0.10"
FOREIGN = (
    FOLLOW,
    "table ip nodelocaldns { chain c { counter; }; }",
    "table inet filter { chain input { type filter hook input priority 0; policy accept; ct state invalid drop; }; }",
)
NodeMaker = Callable[..., Node]


@pytest.fixture
def following(place: Namespace) -> Namespace:
    """The node, on which conntrack follows what it sees."""
    nftables.transact(FOLLOW)
    return place


def found(subject: Node, *, answered: bool = True) -> Bypass:
    """What the self-test finds, once it is `answered`: it waits for a second only."""

    def over() -> Bypass | None:
        bypass = subject.check().bypass
        if bypass and not (answered and bypass.reason.startswith("no reply")):
            return bypass
        subject.test_bypass()  # does nothing while one is under way
        return None

    return wait_until(over, "the self-test's result")


@pytest.mark.parametrize("address", [V4, V6])
@pytest.mark.parametrize("tcp", [False, True])
def test_queries_leave_no_entry_and_without_the_rules_they_do(
    following: Namespace, make: NodeMaker, address: str, tcp: bool
) -> None:
    subject = make(V4, V6, notrack=False)
    subject.set_up()
    with echo(following, address):
        assert converse(following, address, 5, tcp=tcp) == 5
        assert len(tracked(following, 53)) == 5
        following.run("conntrack", "-F")
        subject = make(V4, V6)
        subject.set_up()
        assert converse(following, address, 200, tcp=tcp) == 200
        assert tracked(following, 53) == []
        subject.tear_down()


@pytest.fixture
def pod(following: Namespace) -> Iterator[Namespace]:
    """A pod behind a cable, whose way to everything leads through the node."""
    with namespaces("pod") as (namespace,):
        cable(
            (following, "to-pod", ["10.244.0.1/24", "fd00:244::1/64"]),
            (namespace, "eth0", ["10.244.0.10/24", "fd00:244::10/64"]),
        )
        namespace.ip("route", "add", "default", "via", "10.244.0.1")
        namespace.ip("-6", "route", "add", "default", "via", "fd00:244::1")
        namespace.ip("route", "add", f"{V4}/32", "via", "10.244.0.1")
        yield namespace


@pytest.mark.parametrize("address", [V4, V6])
@pytest.mark.parametrize("tcp", [False, True])
def test_pods_queries_leave_no_entry(
    following: Namespace, pod: Namespace, make: NodeMaker, address: str, tcp: bool
) -> None:
    subject = make(V4, V6)
    subject.set_up()
    with echo(following, address):
        assert converse(pod, address, 100, tcp=tcp) == 100
        assert tracked(following, 53) == []
        subject.tear_down()
        assert not tracked(following, 53)


def test_the_cluster_dns_address_stays_on_the_node_although_kube_proxy_translates_it(
    following: Namespace, pod: Namespace, make: NodeMaker
) -> None:
    elsewhere = "10.244.0.99"  # what kube-proxy sends the service address to; nobody answers there
    nftables.transact(
        f"table ip kube-proxy {{ chain services {{ type nat hook prerouting priority dstnat; "
        f"ip daddr {CLUSTER_DNS} meta l4proto {{ tcp, udp }} th dport 53 dnat to {elsewhere}; }}; }}"
    )
    following.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    subject = make(V4, CLUSTER_DNS)
    subject.set_up()
    with echo(following, CLUSTER_DNS):
        assert converse(pod, CLUSTER_DNS, 20) == 20
        assert converse(pod, CLUSTER_DNS, 20, tcp=True) == 20
        assert tracked(following, 53) == []
        subject.tear_down()
        assert converse(pod, CLUSTER_DNS, 1, patience_seconds=1.0) == 0
        assert elsewhere in tracked(following, 53)[0]


def test_probes_of_the_admin_endpoints_leave_no_entry(following: Namespace, pod: Namespace, make: NodeMaker) -> None:
    subject = make(V4, admin=V4)
    subject.set_up()
    with echo(following, V4, 9253):
        assert converse(pod, V4, 20, 9253, tcp=True) == 20
        assert tracked(following, 9253) == []


def test_other_traffic_is_followed_as_before(following: Namespace, pod: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    with echo(following, V4, 5353):
        assert converse(pod, V4, 3, 5353) == 3
        assert len(tracked(following, 5353)) == 3


def test_tables_of_others_are_never_touched(place: Namespace, make: NodeMaker) -> None:
    for table in FOREIGN:
        nftables.transact(table)
    before = rules(place)
    subject = make(V4, V6)
    subject.set_up()
    assert rules(place).startswith(before)
    subject.tear_down()
    assert rules(place) == before


def test_an_accept_of_ours_does_not_overrule_a_drop_of_others(
    following: Namespace, pod: Namespace, make: NodeMaker
) -> None:
    subject = make(V4)
    subject.set_up()
    nftables.transact("table inet wall { chain input { type filter hook input priority 10; policy drop; }; }")
    with echo(following, V4):
        assert converse(pod, V4, 1, patience_seconds=1.0) == 0
        nftables.transact("add rule inet wall input udp dport 53 accept")
        assert converse(pod, V4, 1) == 1


def test_an_accept_of_others_before_conntrack_does_not_end_the_bypass(
    following: Namespace, pod: Namespace, make: NodeMaker
) -> None:
    nftables.transact("table ip raw { chain PREROUTING { type filter hook prerouting priority -300; accept; }; }")
    subject = make(V4)
    subject.set_up()
    with echo(following, V4):
        assert converse(pod, V4, 10) == converse(pod, V4, 10, tcp=True) == 10
        assert tracked(following, 53) == []


def test_rules_change_all_at_once_or_not_at_all(place: Namespace, make: NodeMaker) -> None:
    make(V4).set_up()
    before = rules(place)
    with pytest.raises(NodeError, match="nftables said"):
        nftables.transact("delete table inet nodelocaldns\nadd rule inet nodelocaldns nowhere accept")
    assert rules(place) == before


def test_only_rules_of_our_own_table_are_counted(place: Namespace, make: NodeMaker) -> None:
    for table in FOREIGN:
        nftables.transact(table)
    assert count_rules("nodelocaldns") == 0
    assert count_rules("follow") == 1
    assert count_rules("no such table") == 0


def test_a_kernel_that_refuses_to_count_rules_says_why(place: Namespace) -> None:
    with pytest.raises(OSError, match="Numerical result out of range"):
        count_rules("x" * 300)


def test_rules_alone_need_no_interface(following: Namespace) -> None:
    following.ip("addr", "add", f"{V4}/32", "dev", "lo")
    subject = Node(NodeSettings(notrack=True), Listen((V4,)), Admin())
    subject.set_up()
    state = subject.check()
    assert (state.device, state.rules, state.ok) == ("", True, True)
    subject.tear_down()
    assert "nodelocaldns" not in rules(following)


def test_a_missing_library_is_named_with_its_package() -> None:
    with pytest.raises(NodeError, match=r"libnope\.so\.1 \(Debian: libnftables1\)") as no:
        nftables.transact("", library="libnope.so.1")
    assert no.value.kind is ErrorType.IPTABLES


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("\nError: no such thing\nadd x\n^^^\n", "Error: no such thing"),
        ("", "nothing"),
        (
            "Error: Operation not permitted",
            "Error: Operation not permitted (the resolver needs the capability NET_ADMIN)",
        ),
    ],
)
def test_of_what_the_library_says_the_first_line_is_told(said: str, expected: str) -> None:
    assert nftables._first_line(said) == expected


def test_the_self_test_passes_with_the_rules(following: Namespace, make: NodeMaker) -> None:
    subject = make(V4, V6)
    subject.set_up()
    with echo(following, V4), echo(following, V6):
        assert found(subject).result is BypassResult.PASSED
        assert found(subject).reason == ""
    subject.tear_down()


def test_the_self_test_fails_where_rules_do_not_work(following: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    nftables.transact("flush chain inet nodelocaldns output")
    with echo(following, V4):
        bypass = found(subject)
    assert bypass.result is BypassResult.FAILED
    assert bypass.reason == f"conntrack has an entry for a query over UDP to {V4}, TCP to {V4}"
    assert subject.check().setup_errors == {}


def test_the_self_test_says_when_nobody_answers(following: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    bypass = found(subject, answered=False)
    assert bypass.result is BypassResult.UNKNOWN
    assert bypass.reason == f"no reply to a query over UDP to {V4}, TCP to {V4}"


def test_the_self_test_says_when_conntrack_is_idle(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    with echo(place, V4):
        bypass = found(subject)
    assert bypass.result is BypassResult.PASSED
    assert bypass.reason == "conntrack follows nothing on this node at the moment"


def test_the_self_test_says_when_conntrack_cannot_be_asked(place: Namespace) -> None:
    place.ip("addr", "flush", "dev", "lo")
    bypass = run_bypass_test([V4], 53)
    assert bypass.result is BypassResult.UNKNOWN
    assert bypass.reason.startswith("conntrack cannot be asked on this node: ")
