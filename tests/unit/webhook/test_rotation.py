from datetime import UTC, datetime, timedelta

import pytest

from webhook.pki import is_verified_by, new_leaf
from webhook.rotation import (
    Authorities,
    Publish,
    Timings,
    Wait,
    Write,
    bundle,
    from_text,
    next_step,
    signer,
    to_text,
)

T0 = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = Timings(timedelta(days=360))


class Cluster:
    """A Secret and two entries; replicas look, one of them acts."""

    def __init__(self, entries: int = 2) -> None:
        self.authorities: Authorities = ()
        self.published = [""] * entries

    def act(self, now: datetime) -> object:
        step = next_step(self.authorities, self.published, now, YEAR)
        match step:
            case Write(authorities=after):
                self.authorities = after
            case Publish(bundle=pem):
                self.published = [pem] * len(self.published)
        return step

    def settle(self, now: datetime) -> None:
        while self.act(now) != Wait():
            pass


def test_the_first_ca_is_written_published_and_noted() -> None:
    cluster = Cluster()
    steps = [type(cluster.act(T0)) for _ in range(4)]
    assert steps == [Write, Publish, Write, Wait]
    assert cluster.authorities[0].published == T0
    assert cluster.published == [bundle(cluster.authorities)] * 2


def test_a_replica_needs_no_settling_for_the_only_ca() -> None:
    cluster = Cluster()
    assert signer(cluster.authorities, T0, YEAR) is None
    cluster.act(T0)
    assert signer(cluster.authorities, T0, YEAR) == cluster.authorities[0]


def test_over_ten_years_every_leaf_in_use_is_verified_by_what_was_published_a_settling_ago() -> None:
    cluster = Cluster()
    cluster.settle(T0)
    used = set()
    now, seen_by_api_servers = T0, cluster.published[0]
    for _ in range(3650 * 2):
        now += DAY / 2  # far more than the settling, so that one round means that everybody has heard
        in_use = signer(cluster.authorities, now, YEAR)
        assert in_use is not None
        assert in_use.is_valid(now)
        assert in_use.pair.certificate in seen_by_api_servers
        used.add(in_use.pair.certificate)
        seen_by_api_servers = cluster.published[0]
        cluster.act(now)
        assert in_use.pair.certificate in cluster.published[0]
    assert len(used) >= 20


def test_a_successor_is_used_only_after_it_was_published_and_has_settled() -> None:
    cluster = Cluster()
    cluster.settle(T0)
    later = T0 + YEAR.rotate_after
    old = cluster.authorities[0]
    cluster.act(later)
    assert len(cluster.authorities) == 2
    assert signer(cluster.authorities, later + DAY, YEAR) == old
    cluster.settle(later + DAY)
    assert signer(cluster.authorities, later + DAY, YEAR) == old
    assert signer(cluster.authorities, later + DAY + YEAR.settle, YEAR) == cluster.authorities[1]


def test_the_old_ca_is_dropped_after_the_overlap() -> None:
    cluster = Cluster()
    cluster.settle(T0)
    later = T0 + YEAR.rotate_after
    cluster.settle(later)
    cluster.settle(later + YEAR.overlap - DAY)
    assert len(cluster.authorities) == 2
    cluster.settle(later + YEAR.overlap)
    assert bundle(cluster.authorities).count("BEGIN") == 1
    assert cluster.published[0] == bundle(cluster.authorities)


def test_somebody_else_overwrites_the_bundle_and_it_is_published_again() -> None:
    cluster = Cluster()
    cluster.settle(T0)
    cluster.published[1] = "something else"
    assert isinstance(cluster.act(T0), Publish)


def test_without_an_entry_nothing_counts_as_published() -> None:
    cluster = Cluster(entries=0)
    cluster.settle(T0)
    assert cluster.authorities[0].published is None


def test_after_a_long_absence_an_expired_ca_gets_a_successor_at_once() -> None:
    cluster = Cluster()
    cluster.settle(T0)
    later = T0 + 2 * YEAR.lifetime
    assert signer(cluster.authorities, later, YEAR) is None
    cluster.act(later)
    assert signer(cluster.authorities, later, YEAR) == cluster.authorities[-1]


def test_what_is_written_is_read_back() -> None:
    cluster = Cluster()
    cluster.settle(T0)
    cluster.act(T0 + YEAR.rotate_after)
    assert from_text(to_text(cluster.authorities)) == cluster.authorities


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"certificate": "x"}]', "7", '[{"certificate": 1, "key": ""}]'])
def test_a_damaged_secret_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


def test_leaves_are_verified_by_their_ca_and_by_no_other() -> None:
    one, two = Cluster(), Cluster()
    one.act(T0)
    two.act(T0)
    leaf = new_leaf(one.authorities[0].pair, ["webhook.example", "192.0.2.1"], T0)
    assert is_verified_by(leaf.certificate, bundle(two.authorities) + bundle(one.authorities))
    assert is_verified_by(leaf.certificate + bundle(one.authorities), bundle(one.authorities))
    assert not is_verified_by(leaf.certificate, bundle(two.authorities))
    assert not is_verified_by(leaf.certificate + bundle(two.authorities), bundle(two.authorities))
    assert not is_verified_by(leaf.certificate, "")
    assert not is_verified_by("", bundle(one.authorities))


def test_times_follow_from_the_lifetime() -> None:
    assert (YEAR.settle, YEAR.check_seconds) == (timedelta(seconds=30), 10.0)
    assert Timings(timedelta(seconds=8)).settle == timedelta(seconds=1), "a busy API server is told in time"
