"""Unit tests look for counterexamples, not for speed: a slow machine must not fail a property. What one of them does to
the process's log is none of the next one's business.

Where nothing may be skipped (`.ci/run`), properties are tried with the same examples each time: a change answers for
itself. Everywhere else they look for new ones.
"""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("unit", deadline=None, derandomize=os.environ.get("NODELOCALDNS_NO_SKIP") == "1")
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
