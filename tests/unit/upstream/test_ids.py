"""IDs of our own queries are half of what a forger has to guess."""

import os

import pytest

from resolver.upstream.ids import QueryIds


def test_ids_are_the_octets_of_the_kernels_cryptographic_generator_and_of_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = []

    def urandom(size: int) -> bytes:
        given.append(os.getrandom(size))
        return given[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    ids = QueryIds()
    taken = [ids.take() for _ in range(1000)]
    octets = b"".join(given)
    known = {octets[at : at + 2] for at in range(0, len(octets), 2)}
    assert known >= set(taken)
    assert len(octets) >= 2 * len(taken), "each octet is used once"


def test_ids_are_spread_over_all_there_are() -> None:
    ids = QueryIds()
    taken = [int.from_bytes(ids.take(), "big") for _ in range(16_384)]
    assert len(set(taken)) > 14_000, "as many doubles as chance makes"
    for bit in range(16):
        assert 0.45 < sum(each >> bit & 1 for each in taken) / len(taken) < 0.55
