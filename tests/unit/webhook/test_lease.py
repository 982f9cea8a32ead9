from datetime import UTC, datetime
from typing import Any

from webhook.lease import DURATION_SECONDS, Candidate

WALL = datetime(2026, 11, 1, 12, tzinfo=UTC)


def lease(spec: dict[str, Any] | None) -> dict[str, Any]:
    assert spec is not None
    return {"spec": spec}


def test_without_a_lease_anybody_may_lead() -> None:
    one = Candidate("one")
    spec = one.claim(None, 0.0, WALL)
    assert spec == {
        "holderIdentity": "one",
        "leaseDurationSeconds": DURATION_SECONDS,
        "acquireTime": "2026-11-01T12:00:00.000000Z",
        "renewTime": "2026-11-01T12:00:00.000000Z",
        "leaseTransitions": 1,
    }
    assert one.holds(lease(spec))
    assert not Candidate("two").holds(lease(spec))
    assert not one.holds(None)


def test_the_holder_renews_and_keeps_the_time_it_began() -> None:
    one = Candidate("one")
    held = lease(one.claim(None, 0.0, WALL))
    spec = one.claim(held, 5.0, WALL.replace(hour=13))
    assert spec is not None
    assert (spec["acquireTime"][11:13], spec["renewTime"][11:13], spec["leaseTransitions"]) == ("12", "13", 1)


def test_another_waits_until_the_lease_has_not_changed_for_its_duration() -> None:
    one, two = Candidate("one"), Candidate("two")
    held = lease(one.claim(None, 0.0, WALL))
    assert two.claim(held, 100.0, WALL) is None
    assert two.claim(held, 100.0 + DURATION_SECONDS - 1, WALL) is None
    renewed = lease(one.claim(held, 0.0, WALL.replace(hour=13)))
    assert two.claim(renewed, 100.0 + DURATION_SECONDS, WALL) is None
    spec = two.claim(renewed, 100.0 + 2 * DURATION_SECONDS, WALL)
    assert spec is not None
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 2)


def test_a_released_lease_is_taken_at_once() -> None:
    spec = Candidate("two").claim(lease({"holderIdentity": "", "leaseTransitions": 3}), 0.0, WALL)
    assert spec is not None
    assert spec["leaseTransitions"] == 4
