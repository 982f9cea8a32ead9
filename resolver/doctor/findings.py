"""What the doctor finds, as plain values, and how it is told: to people, or as JSON for scripts. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from textwrap import wrap
from typing import NamedTuple

_LABEL = 18
_WIDTH = 100


class State(StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    """Nothing is broken, and it is good to know."""
    UNKNOWN = "unknown"
    """It could not be found out; the fix says how it can."""
    PROBLEM = "problem"


class Finding(NamedTuple):
    """One sentence about one thing."""

    check: str
    """What was looked at: configuration, address, port, rules, bypass, upstream, resolver, pod."""
    state: State
    says: str
    fix: str = ""
    """What to do; of a problem there is always one."""


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, says)


def problem(check: str, says: str, fix: str) -> Finding:
    """Something is broken."""
    return Finding(check, State.PROBLEM, says, fix)


def as_text(findings: Sequence[Finding]) -> str:
    """For people: one paragraph for each, and the sum."""
    lines: list[str] = []
    indent = " " * (9 + _LABEL)
    for finding in findings:
        head = f"{finding.state.value:<9}{finding.check:<{_LABEL}}"
        lines += wrap(finding.says, _WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
        if finding.fix:
            lines += wrap(
                finding.fix, _WIDTH, initial_indent=indent + "-> ", subsequent_indent=indent + "   ",
                break_on_hyphens=False, break_long_words=False,
            )  # fmt: skip
    counted = Counter(finding.state for finding in findings)
    told = ", ".join(f"{counted[state]} {_counted(state, counted[state])}" for state in State if counted[state])
    return "\n".join([*lines, "", told, ""])


def as_plain(findings: Iterable[Finding]) -> dict[str, object]:
    """For scripts: values that JSON knows."""
    findings = list(findings)
    return {
        "healthy": not has_problem(findings),
        "findings": [
            {"check": it.check, "state": it.state.value, "says": it.says, "fix": it.fix or None} for it in findings
        ],
    }


def has_problem(findings: Iterable[Finding]) -> bool:
    """Whether any of them is broken."""
    return any(finding.state is State.PROBLEM for finding in findings)


def _counted(state: State, count: int) -> str:
    return state.value + "s" if count > 1 and state in (State.NOTE, State.PROBLEM) else state.value
