"""Chance from the kernel's generator: three functions, where the module `random` takes 0.25 MiB for many more."""

from collections.abc import MutableSequence
from os import urandom
from typing import Any


def random() -> float:
    """Return a number from 0 on, below 1."""
    return (int.from_bytes(urandom(7), "big") >> 3) * 2.0**-53  # as many bits as a float has


def uniform(low: float, high: float) -> float:
    """Return a number between the two."""
    return low + (high - low) * random()


def shuffle(items: MutableSequence[Any]) -> None:
    """Bring them into any order, each as likely as another (Fisher and Yates)."""
    for last in range(len(items) - 1, 0, -1):
        chosen = int(random() * (last + 1))
        items[last], items[chosen] = items[chosen], items[last]
