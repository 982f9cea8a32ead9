"""The interface with the listen addresses on a real kernel; the node is as before once the resolver has gone."""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from resolver.config.values import Admin, Listen
from resolver.config.values import Node as NodeSettings
from resolver.node import helper, interface
from resolver.node.errors import ErrorType, NodeError
from resolver.node.helper import Request
from resolver.node.node import Node
from resolver.nodestate import NodeState
from tests.lab.netns import Namespace
from tests.lab.nodeside import addresses, rules, sight
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.unmeasured

V4, V6, OLD = "169.254.20.10", "fd00:20::10", "10.99.99.99"
NO_SUCH_KIND = "no-such-kind"
NodeMaker = Callable[..., Node]


def shown(place: Namespace, device: str) -> set[str]:
    """The addresses of a device that need not be there."""
    return addresses(place, device) if device in sight(place) else set()


def repaired(subject: Node) -> NodeState:
    """The state once it is good again."""

    def good() -> NodeState | None:
        state = subject.check()
        subject.repair(state)
        return state if state.ok else None

    return wait_until(good, "the repair of the node")


def settled(subject: Node) -> NodeState:
    """The state once what was begun is over."""

    def over() -> NodeState | None:
        state = subject.check()
        return state if subject._job is None else None

    return wait_until(over, "the end of what was begun")


def test_the_node_is_as_before_once_the_resolver_has_gone(place: Namespace, make: NodeMaker) -> None:
    before = sight(place)
    subject = make(V4, V6)
    subject.set_up()
    assert addresses(place, "nodelocaldns") == {V4, V6}
    state = subject.check()
    assert state.ok
    assert (state.device, state.rules) == ("nodelocaldns", True)
    subject.tear_down()
    assert sight(place) == before
    assert subject.check().device == ""


def test_without_dummy_devices_lo_carries_the_addresses(
    place: Namespace, make: NodeMaker, caplog: pytest.LogCaptureFixture
) -> None:
    before = sight(place)
    subject = make(V4, V6, device_kind=NO_SUCH_KIND)
    subject.set_up()
    assert addresses(place, "lo") >= {V4, V6}
    assert subject.check().ok
    assert subject.check().device == "lo"
    assert "no dummy devices" in caplog.text
    subject.tear_down()
    assert sight(place) == before


@pytest.mark.parametrize("dummy", [True, False])
def test_at_the_end_the_rules_go_first_and_then_the_addresses(
    place: Namespace, make: NodeMaker, kind: str, dummy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    device_kind = kind if dummy else NO_SUCH_KIND
    subject = make(V4, V6, device_kind=device_kind)
    subject.set_up()
    device = subject.check().device
    transact, seen = helper._transact, list[set[str]]()

    def look(text: str) -> None:
        seen.append(addresses(place, device))
        transact(text)

    monkeypatch.setattr(helper, "_transact", look)
    helper._tear_down(Request("tear down", device, device_kind, (V4, V6), rules="delete table inet nodelocaldns"))
    assert seen[0] >= {V4, V6}
    assert len(seen) == 1
    assert not {V4, V6} & {each for name in ("lo", "nodelocaldns") for each in shown(place, name)}


@pytest.mark.parametrize("dummy", [True, False])
def test_setting_up_again_changes_nothing(place: Namespace, make: NodeMaker, kind: str, dummy: bool) -> None:
    subject = make(V4, V6, device_kind=kind if dummy else NO_SUCH_KIND)
    subject.set_up()
    once = sight(place)
    subject.set_up()
    assert sight(place) == once


def test_what_a_crashed_predecessor_left_is_taken_over_and_put_right(place: Namespace, make: NodeMaker) -> None:
    before = sight(place)
    make(V4, OLD, "fd00:99::99").set_up()
    place.ip("link", "set", "nodelocaldns", "down")
    successor = make(V4, V6)
    successor.set_up()
    assert addresses(place, "nodelocaldns") == {V4, V6}
    assert OLD not in rules(place)
    assert successor.check().ok
    successor.tear_down()
    assert sight(place) == before


def test_a_device_of_another_kind_is_not_touched(place: Namespace, make: NodeMaker) -> None:
    place.ip("link", "add", "nodelocaldns", "type", "bridge")
    before = sight(place)
    subject = make(V4)
    with pytest.raises(NodeError, match=r"^node\.interface: nodelocaldns exists and is no \w+ device but bridge") as no:
        subject.set_up()
    assert no.value.kind is ErrorType.INTERFACE_ADD
    assert subject.check().setup_errors == {"interface_add": 1}
    assert subject.check().trouble == str(no.value)
    subject.tear_down()
    assert sight(place) == before


@pytest.mark.parametrize("dummy", [True, False])
def test_a_failed_start_leaves_the_node_as_it_was(place: Namespace, kind: str, dummy: bool) -> None:
    before = sight(place)
    request = Request("set up", "nodelocaldns", kind if dummy else NO_SUCH_KIND, (V4, V6), rules="add nonsense")
    with pytest.raises(NodeError, match=r"^node\.notrack: nftables said: "):
        helper._set_up(request)
    assert sight(place) == before


def test_a_failed_start_leaves_what_a_predecessor_left(place: Namespace, make: NodeMaker, kind: str) -> None:
    make(V4, OLD).set_up()
    place.ip("link", "set", "nodelocaldns", "down")
    before = sight(place)
    with pytest.raises(NodeError, match="nftables said"):
        helper._set_up(Request("set up", "nodelocaldns", kind, (V4, V6), rules="add nonsense"))
    assert sight(place) == before


@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        ("ip link del nodelocaldns", "interface"),
        ("ip link set nodelocaldns down", "interface"),
        (f"ip addr del {V4}/32 dev nodelocaldns", "interface"),
        (f"ip addr del {V6}/128 dev nodelocaldns", "interface"),
        ("nft flush ruleset", "rules"),
        ("nft flush chain inet nodelocaldns output", "rules"),
    ],
)
def test_what_is_removed_by_hand_is_put_back(place: Namespace, make: NodeMaker, harm: str, lost: str) -> None:
    subject = make(V4, V6)
    subject.set_up()
    whole = sight(place)
    assert place.run(*harm.split()).returncode == 0
    assert not subject.check().ok
    assert repaired(subject).repairs == {lost: 1}
    assert sight(place) == whole
    subject.tear_down()


def test_addresses_removed_from_lo_are_put_back(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4, device_kind=NO_SUCH_KIND)
    subject.set_up()
    place.ip("addr", "del", f"{V4}/32", "dev", "lo")
    assert subject.check().missing == (V4,)
    assert repaired(subject).device == "lo"
    subject.tear_down()


def test_a_repair_that_fails_is_counted_and_tried_again(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    place.ip("link", "del", "nodelocaldns")
    place.ip("link", "add", "nodelocaldns", "type", "bridge")
    state = subject.check()
    assert state.missing == (V4,)
    subject.repair(state)
    wait_until(lambda: subject.check().setup_errors, "the failure of the repair")
    assert "bridge" in subject.check().trouble
    place.ip("link", "del", "nodelocaldns")
    repaired(subject)
    wait_until(lambda: not subject.check().trouble, "the trouble to be over")
    subject.tear_down()


def test_after_a_hand_over_the_old_owner_keeps_its_hands_off(place: Namespace, make: NodeMaker) -> None:
    old, new = make(V4), make(V4)
    old.set_up()
    new.set_up()
    old.leave()
    place.run("nft", "flush", "ruleset")
    assert old.check().ok
    old.repair(old.check())
    old.test_bypass()
    old.tear_down()
    assert addresses(place, "nodelocaldns") == {V4}
    new.tear_down()


@pytest.mark.parametrize("dummy", [True, False])
def test_a_reload_moves_addresses_and_rules(place: Namespace, make: NodeMaker, kind: str, dummy: bool) -> None:
    before = sight(place)
    subject = make(V4, OLD, device_kind=kind if dummy else NO_SUCH_KIND)
    subject.set_up()
    subject.change(Listen((V4, V6)), Admin("0.0.0.0"))
    subject.repair(subject.check())
    state = settled(subject)
    assert state.ok
    assert addresses(place, state.device) - {"127.0.0.1", "::1"} == {V4, V6}
    assert OLD not in rules(place)
    assert state.repairs == {}
    subject.change(Listen((V4, V6)), Admin("0.0.0.0"))
    assert subject._job is None
    subject.tear_down()
    assert sight(place) == before


def test_a_reload_that_wants_no_rules_any_more_removes_them(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    subject.change(Listen(("0.0.0.0",)), Admin("0.0.0.0"))
    wait_until(lambda: not rules(place), "the rules to go")
    assert subject.check().ok
    subject.tear_down()


def test_a_failed_reload_keeps_what_was_on_lo(place: Namespace) -> None:
    helper._set_up(Request("set up", "nodelocaldns", NO_SUCH_KIND, (V4, OLD)))
    before = sight(place)
    with pytest.raises(NodeError, match="nftables said"):
        helper._set_up(Request("set up", "nodelocaldns", NO_SUCH_KIND, (V4, V6), (OLD,), "add nonsense"))
    assert sight(place) == before


def test_the_interface_goes_also_where_the_rules_cannot_be_removed(
    place: Namespace, make: NodeMaker, kind: str
) -> None:
    before = sight(place)
    make(V4, notrack=False).set_up()
    with pytest.raises(NodeError, match="nftables said"):
        helper._tear_down(Request("tear down", "nodelocaldns", kind, (V4,), rules="delete nonsense"))
    assert sight(place) == before


def test_a_device_that_somebody_put_in_place_of_ours_stays(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4, notrack=False)
    subject.set_up()
    place.ip("link", "del", "nodelocaldns")
    place.ip("link", "add", "nodelocaldns", "type", "bridge")
    before = sight(place)
    subject.tear_down()
    assert sight(place) == before


def test_addresses_that_are_gone_from_lo_are_no_trouble_at_the_end(place: Namespace, make: NodeMaker) -> None:
    before = sight(place)
    subject = make(V4, V6, device_kind=NO_SUCH_KIND)
    subject.set_up()
    place.ip("addr", "del", f"{V4}/32", "dev", "lo")
    subject.tear_down()
    assert subject.check().setup_errors == {}
    assert sight(place) == before


def test_a_repair_does_not_wait_for_a_self_test(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    subject.test_bypass()
    assert subject._job is not None
    os.kill(subject._job._pid, signal.SIGSTOP)  # under way for as long as that matters
    place.ip("link", "del", "nodelocaldns")
    assert repaired(subject).repairs == {"interface": 1}
    assert subject.check().bypass is None
    subject.tear_down()


def test_somebody_who_removes_it_again_and_again_does_not_keep_the_node_busy(place: Namespace, kind: str) -> None:
    now = [1000.0]
    settings = NodeSettings(manage_interface=True)
    subject = Node(settings, Listen((V4,)), Admin(), kind=kind, clock=lambda: now[0])
    subject.set_up()
    pauses = []
    for _ in range(5):
        place.ip("link", "del", "nodelocaldns")
        began = now[0]
        while not subject.check().ok:
            subject.repair(subject.check())
            if subject._job is None:
                now[0] += 0.25
        pauses.append(now[0] - began)
    assert pauses == [0.0, 0.0, 1.0, 2.0, 4.0]
    subject.tear_down()


def test_a_helper_that_cannot_be_started_is_told_and_the_end_still_comes(
    place: Namespace, make: NodeMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    subject = make(V4)
    subject.set_up()
    place.run("nft", "flush", "ruleset")
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/nonexistent/python")
        subject.repair(subject.check())
        assert subject.check().setup_errors == {"iptables": 1}
        subject.tear_down()
    assert subject.check().setup_errors == {"iptables": 1, "interface_add": 1}
    assert "the node cannot be left as it was" in caplog.text


def test_what_cannot_be_looked_at_is_told_and_not_repaired(
    place: Namespace, make: NodeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> int:
        raise PermissionError(1, "Operation not permitted")

    subject = make(V4)
    subject.set_up()
    monkeypatch.setattr("resolver.node.node.count_rules", refuse)
    state = subject.check()
    assert state.ok
    assert state.trouble == "node.notrack: nftables cannot be asked: Operation not permitted"
    subject.tear_down()


@pytest.mark.parametrize("settings", [NodeSettings(manage_interface=True), NodeSettings(notrack=True)])
def test_a_process_without_the_capability_changes_nothing(place: Namespace, settings: NodeSettings) -> None:
    before = sight(place)
    request = Node(settings, Listen((V4,)), Admin())._request(helper.SET_UP)
    done = place.run(
        "setpriv", "--bounding-set=-net_admin", "--",
        sys.executable, "-m", "resolver.node.helper", json.dumps(request._asdict()),
    )  # fmt: skip
    assert "needs the capability NET_ADMIN" in json.loads(done.stdout)["message"]
    assert sight(place) == before


def test_an_interface_that_is_gone_already_is_no_trouble_at_the_end(place: Namespace, make: NodeMaker) -> None:
    subject = make(V4)
    subject.set_up()
    place.ip("link", "del", "nodelocaldns")
    place.run("nft", "flush", "ruleset")
    subject.tear_down()
    assert subject.check().setup_errors == {}


@pytest.mark.parametrize(
    ("settings", "key"),
    [(NodeSettings(manage_interface=True), "manageInterface"), (NodeSettings(notrack=True), "notrack")],
)
def test_without_the_privilege_the_error_names_key_and_capability(
    place: Namespace, monkeypatch: pytest.MonkeyPatch, settings: NodeSettings, key: str
) -> None:
    monkeypatch.setattr(helper, "_may_administrate", lambda: False)
    subject = Node(settings, Listen((V4,)), Admin())
    request = subject._request(helper.SET_UP)
    with pytest.raises(NodeError, match=rf"^node\.{key}: the resolver needs the capability NET_ADMIN$"):
        helper._do(request)


def test_where_the_kernel_refuses_the_error_says_what_and_why(place: Namespace) -> None:
    place.run("sysctl", "-q", "-w", "net.ipv6.conf.lo.disable_ipv6=1")
    with pytest.raises(NodeError, match=r"^node\.manageInterface: .*EACCES.*IPv6 is switched off"):
        helper._set_up(Request("set up", "nodelocaldns", NO_SUCH_KIND, (V6,)))


class Refusing:
    """A kernel that shows everything and changes nothing."""

    def link_lookup(self, ifname: str) -> list[int]:
        return [7] if ifname in {"lo", "nodelocaldns"} else []

    def get_links(self, _: int) -> list[Any]:
        return [self]

    def get_nested(self, *_: str) -> str:
        return "dummy"

    def refuse(self, *_: object, **__: object) -> None:
        raise NetlinkError(errno.EPERM)

    link = addr = refuse


@pytest.mark.parametrize("device", ["lo", "nodelocaldns"])
def test_what_cannot_be_removed_is_an_error_that_says_why(device: str) -> None:
    with pytest.raises(NodeError, match=rf"removing {device}: the kernel said EPERM: the resolver needs .* NET_ADMIN"):
        interface.remove(Refusing(), device, "dummy", [V4])


def test_a_device_that_cannot_be_made_is_an_error_that_says_why() -> None:
    with pytest.raises(NodeError, match=r"other with 169\.254\.20\.10: the kernel said EPERM"), ExitStack() as undo:
        interface.put(Refusing(), "other", "dummy", [V4], undo)


def test_an_address_that_cannot_be_dropped_is_an_error_that_says_why() -> None:
    with pytest.raises(NodeError, match=r"removing 10\.99\.99\.99 from lo: the kernel said EPERM"), ExitStack() as undo:
        interface.drop(Refusing(), [OLD], undo)


def test_nothing_happens_where_nothing_is_asked_for(place: Namespace) -> None:
    before = sight(place)
    subject = Node(NodeSettings(), Listen((V4,)), Admin())
    assert not subject.wanted
    subject.set_up()
    subject.test_bypass()
    assert subject.check().ok
    assert sight(place) == before
    subject.tear_down()
