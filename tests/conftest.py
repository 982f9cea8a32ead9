"""The rules for every test: it runs in a network that is not the machine's, its needs are checked before it starts, and
where skips are refused none passes. With `pytest -n`, tests take turns (tests/turns.py). What tests start is measured
with them by coverage, except where it is marked `e2e` or `unmeasured`.
"""

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs, network
from tests.lab.netns import ENVIRONMENT
from tests.turns import SERIAL, Files, Turns, order

COMPILED = "NODELOCALDNS_COMPILED"
"""Names the folder of compiled modules that the tests are about (`make compiled`)."""

MEASURED = "COVERAGE_PROCESS_CONFIG"
"""What coverage puts into the environment of Python programs that it is to measure."""

MEETING_PLACE = pytest.StashKey[str]()
TURNS = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    _check_compiled()
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[TURNS] = turns = Turns(Path(worker["meeting_place"]))
        config.add_cleanup(turns.close)
    if worker is not None or not config.getoption("tx", None):  # else it only tells workers what to do
        network.leave_the_machine()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist is about to start."""
    stash = node.config.stash
    if MEETING_PLACE not in stash:
        folder = tempfile.TemporaryDirectory(prefix="nodelocaldns-tests-")
        stash[MEETING_PLACE] = folder.name
        node.config.add_cleanup(folder.cleanup)
    node.workerinput["meeting_place"] = stash[MEETING_PLACE]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    return Files(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if TURNS in config.stash:
        order(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with contextlib.ExitStack() as around:
        if turns := item.config.stash.get(TURNS, None):
            around.enter_context(turns.taken(alone=item.get_closest_marker(SERIAL) is not None))
        if item.get_closest_marker("e2e") or item.get_closest_marker("unmeasured"):
            around.enter_context(_programs_as_they_are())
        return (yield)


@contextlib.contextmanager
def _programs_as_they_are() -> Iterator[None]:
    """What is started in the block is not measured.

    Measured, starting a resolver and stopping it takes four times the processor, and answering several times. Tests
    with real clusters start many, and nearly every line that these reach is reached by others.
    """
    kept = [(place, place.pop(MEASURED)) for place in (os.environ, ENVIRONMENT) if MEASURED in place]
    try:
        yield
    finally:
        for place, value in kept:
            place[MEASURED] = value


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker that is slow to end is killed after ten seconds: what it measured is written before."""
    if TURNS not in session.config.stash:
        return
    from coverage import Coverage

    if measuring := Coverage.current():
        measuring.save()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        needs.require(*mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure if the environment asks for it; an expected failure is no skip."""
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get(needs.NO_SKIP) != "1":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"nothing may be skipped here ({needs.NO_SKIP}=1): {reason}"


def _check_compiled() -> None:
    folder = os.environ.get(COMPILED)
    if folder is None:
        return
    from resolver import engine

    if not engine.__file__.startswith(folder) or engine.__file__.endswith(".py"):
        raise pytest.UsageError(f"{COMPILED} is set, but the tests would run on {engine.__file__}")
