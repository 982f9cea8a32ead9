"""The rules for every test: its needs are checked before it starts, and where skips are refused none passes."""

import os
from collections.abc import Generator

import pytest

from tests import needs

COMPILED = "NODELOCALDNS_COMPILED"
"""Names the folder of compiled modules that the tests are about (`make compiled`)."""


def pytest_configure() -> None:
    folder = os.environ.get(COMPILED)
    if folder is None:
        return
    from resolver import engine

    if not engine.__file__.startswith(folder) or engine.__file__.endswith(".py"):
        raise pytest.UsageError(f"{COMPILED} is set, but the tests would run on {engine.__file__}")


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
