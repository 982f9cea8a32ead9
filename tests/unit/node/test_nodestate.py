import json

import pytest

from resolver.nodestate import Bypass, BypassResult, NodeState

FULL = NodeState(
    device="nodelocaldns",
    missing=("169.254.20.10",),
    rules=False,
    bypass=Bypass(BypassResult.FAILED, "conntrack has an entry", 12.5),
    trouble="node.notrack: nftables said no",
    repairs={"rules": 2},
    setup_errors={"iptables": 1},
    at=13.0,
)


@pytest.mark.parametrize("state", [NodeState(), FULL])
def test_a_state_survives_the_way_between_processes(state: NodeState) -> None:
    assert NodeState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        NodeState.from_json({"device": "lo"})
    with pytest.raises(ValueError, match="perhaps"):
        NodeState.from_json({**FULL.to_json(), "bypass": {"result": "perhaps", "reason": "", "at": 0}})


@pytest.mark.parametrize(
    ("state", "ok"),
    [
        (NodeState(), True),
        (NodeState(device="lo", rules=True), True),
        (NodeState(device="lo", bypass=Bypass(BypassResult.FAILED)), True),
        (NodeState(device="lo", missing=("169.254.20.10",)), False),
        (NodeState(rules=False), False),
    ],
)
def test_only_what_is_missing_makes_a_state_bad(state: NodeState, ok: bool) -> None:
    assert state.ok is ok
