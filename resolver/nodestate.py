"""What is known of the node around a resolver: its interface, its rules, and whether questions pass by conntrack.

The process with the privileges finds it out and the workers show it, so the value travels as JSON. It is a module of
its own because `node` makes it and `ops` shows it, and the two do not know each other.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from resolver.lean.words import Words

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class BypassResult(Words):
    """Whether a query to the resolver leaves an entry in conntrack's table."""

    PASSED = "passed"
    """It leaves none."""
    FAILED = "failed"
    """It does."""
    UNKNOWN = "unknown"
    """That could not be found out."""


class Bypass(NamedTuple):
    """What the self-test of the conntrack bypass found, with a sentence that says why; `at` is monotonic seconds."""

    result: BypassResult
    reason: str = ""
    at: float = 0.0


class NodeState(NamedTuple):
    """One look at the node.

    `device` carries the addresses ("lo" where the kernel has no dummy devices, "" where the resolver manages none) and
    `missing` are those of them that the node does not have now. `rules` is None where the resolver sets none.
    `trouble` says what could not be done last, "" if all could; `at` is monotonic seconds.
    """

    device: str = ""
    missing: tuple[str, ...] = ()
    rules: bool | None = None
    bypass: Bypass | None = None
    trouble: str = ""
    repairs: Mapping[str, int] = _NOTHING
    """How often the "interface" and the "rules" were found missing and put back."""
    setup_errors: Mapping[str, int] = _NOTHING
    """Failures by the error types of NodeLocal DNSCache: interface_add, interface_check, iptables."""
    at: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the node is as the resolver set it up. The self-test has no say in it."""
        return not self.missing and self.rules is not False

    def to_json(self) -> dict[str, Any]:
        """The state as values that JSON knows."""
        bypass = None if self.bypass is None else self.bypass._asdict()
        return {
            "device": self.device,
            "missing": list(self.missing),
            "rules": self.rules,
            "bypass": bypass,
            "trouble": self.trouble,
            "repairs": dict(self.repairs),
            "setup_errors": dict(self.setup_errors),
            "at": self.at,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "NodeState":
        """The state that `to_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
        bypass = value["bypass"]
        return cls(
            device=str(value["device"]),
            missing=tuple(map(str, value["missing"])),
            rules=value["rules"],
            bypass=None
            if bypass is None
            else Bypass(BypassResult(bypass["result"]), bypass["reason"], float(bypass["at"])),
            trouble=str(value["trouble"]),
            repairs=dict(value["repairs"]),
            setup_errors=dict(value["setup_errors"]),
            at=float(value["at"]),
        )
