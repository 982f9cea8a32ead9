"""When a CA is made, published, used and dropped: a state machine over the CAs in the Secret.

No call may meet a certificate that its API server cannot verify. So a new CA goes into the Secret; the bundle with old
and new is published and read back; that moment is written down; only `settle` later, when every API server has heard of
it, do replicas take leaves of the new one; and the old one is dropped `overlap` later still. Each step is decided from
what is in the cluster alone, so another replica goes on where a leader died.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from webhook.pki import Pair, new_authority, valid_between

LONGEST_SETTLE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Timings:
    """All of them follow from a CA's lifetime."""

    lifetime: timedelta

    @property
    def rotate_after(self) -> timedelta:
        """Age at which a CA gets its successor."""
        return self.lifetime / 2

    @property
    def settle(self) -> timedelta:
        """From publishing a CA to using it."""
        return min(LONGEST_SETTLE, self.lifetime / 8)

    @property
    def overlap(self) -> timedelta:
        """From publishing a CA to dropping the one before."""
        return self.lifetime / 4

    @property
    def check_seconds(self) -> float:
        """Between two looks at the cluster."""
        return min(10.0, self.lifetime.total_seconds() / 40)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA; `published` is when its certificate was read back from the cluster, None before."""

    pair: Pair
    created: datetime
    published: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether certificates under it can be valid."""
        return valid_between(self.pair.certificate)[1] > now


Authorities = tuple[Authority, ...]
"""From the oldest to the newest."""


@dataclass(frozen=True, slots=True)
class Write:
    """Put these into the Secret."""

    authorities: Authorities


@dataclass(frozen=True, slots=True)
class Publish:
    """Make this PEM the caBundle."""

    bundle: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now."""


def next_step(
    authorities: Authorities, published: Sequence[str], now: datetime, timings: Timings
) -> Write | Publish | Wait:
    """What the leader does next; `published` are the caBundles (PEM) of all entries as they are in the cluster."""
    if not authorities or not authorities[-1].is_valid(now):
        return Write((*authorities, _successor(now, timings)))
    if any(each != bundle(authorities) for each in published):
        return Publish(bundle(authorities))
    newest = authorities[-1]
    if newest.published is None:
        # Without an entry there is nobody to publish to, and nobody who could have read it.
        return Write((*authorities[:-1], replace(newest, published=now))) if published else Wait()
    if len(authorities) > 1 and now >= newest.published + timings.overlap:
        return Write((newest,))
    if len(authorities) == 1 and now >= newest.created + timings.rotate_after:
        return Write((newest, _successor(now, timings)))
    return Wait()


def signer(authorities: Authorities, now: datetime, timings: Timings) -> Authority | None:
    """The CA whose leaf a replica serves: the newest that API servers have had time to hear of."""
    valid = [each for each in authorities if each.is_valid(now)]
    known = [each for each in valid if each.published is not None and now >= each.published + timings.settle]
    return known[-1] if known else valid[0] if valid else None


def bundle(authorities: Authorities) -> str:
    """The certificates of all of them, in PEM."""
    return "".join(each.pair.certificate for each in authorities)


def to_text(authorities: Authorities) -> str:
    """What stands in the Secret."""
    return json.dumps([
        {
            "certificate": each.pair.certificate,
            "key": each.pair.key,
            "created": each.created.isoformat(),
            "published": each.published and each.published.isoformat(),
        }
        for each in authorities
    ])  # fmt: skip


def from_text(text: str) -> Authorities:
    """What `to_text` wrote; ValueError for anything else, so that a Secret that was damaged is made anew."""
    try:
        return tuple(
            Authority(
                _pair(row["certificate"], row["key"]),
                _time(row["created"]),
                _time(row["published"]) if row["published"] else None,
            )
            for row in json.loads(text)
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"not a list of CAs: {error!r}") from None


def _pair(certificate: str, key: str) -> Pair:
    valid_between(certificate)  # raises for what is no certificate
    return Pair(certificate, key)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _successor(now: datetime, timings: Timings) -> Authority:
    return Authority(new_authority(now, timings.lifetime), now)
