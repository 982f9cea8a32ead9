"""The node as one resolver keeps it: set up, look, repair, test, tear down. What the supervisor calls.

Changing the node is a helper's work (`jobs`), looking at it is a few system calls (`presence`). Only `set_up` and
`tear_down` wait for their helper; repairs and tests run beside the supervisor, and `check` collects what came of them.
Synchronous and single-threaded: one owner calls everything.
"""

import logging
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from resolver.config.values import Admin, Listen
from resolver.config.values import Node as NodeSettings
from resolver.node import helper
from resolver.node.errors import ErrorType, NodeError
from resolver.node.jobs import Job
from resolver.node.plan import Plan, plan
from resolver.node.presence import count_rules, has_device, is_local
from resolver.node.rules import REMOVE, TABLE
from resolver.nodestate import Bypass, BypassResult, NodeState

_LONGEST_PAUSE_SECONDS: Final = 5.0
_CALM_SECONDS: Final = 30.0
DUMMY: Final = "dummy"

_log = logging.getLogger(__name__)


class Node:
    """`kind` is the kind of network device; tests name another one where their kernel has no dummy."""

    def __init__(
        self,
        node: NodeSettings,
        listen: Listen,
        admin: Admin,
        *,
        kind: str = DUMMY,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = node
        self._plan: Plan = plan(node, listen, admin)
        self._dropped: set[str] = set()
        """Addresses of earlier configurations that may still be on the node."""
        self._ruled = False
        """Whether there may be rules of ours."""
        self._kind = kind
        self._clock = clock
        self._device: str | None = None
        """None: not set up, or no longer ours."""
        self._job: Job | None = None
        self._repaired_at = -_CALM_SECONDS
        self._pause = 0.0
        self._bypass: Bypass | None = None
        self._trouble = ""
        self._repairs: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()

    @property
    def wanted(self) -> bool:
        """Whether the configuration asks for anything here; if not, every method does nothing."""
        return bool(self._plan.device or self._plan.rules)

    def set_up(self) -> None:
        """Make the node as the plan wants it, or take it over from a predecessor; takes a third of a second.

        Raises NodeError, and then the node is as it was.
        """
        if not self.wanted:
            return
        try:
            reply = Job(self._request(helper.SET_UP), self._error_type).wait()
        except NodeError as error:
            self._note(error)
            raise
        self._placed(reply)

    def change(self, listen: Listen, admin: Admin) -> None:
        """Begin to follow a reload, once new addresses are listened on and old ones are not; never raises.

        It goes on in `check` and `repair` if it does not work at once. `node.*` itself takes a restart.
        """
        new = plan(self._settings, listen, admin)
        if new == self._plan:
            return
        self._dropped |= set(self._plan.assign)
        self._plan = new
        if self._device is not None:
            self._cancel()
            self._start(helper.SET_UP, self._error_type)

    def check(self) -> NodeState:
        """How the node is now; never raises. Collects repairs and tests that have ended. Takes 0.3 ms."""
        self._collect()
        missing: tuple[str, ...] = ()
        rules: bool | None = None
        if self._device is not None:
            if self._plan.device:
                gone = not has_device(self._device)
                missing = tuple(each for each in self._plan.assign if gone or not is_local(each))
            if self._plan.rules:
                rules = self._has_rules(self._plan.rules.total)
        return NodeState(
            device=self._device or "",
            missing=missing,
            rules=rules,
            bypass=self._bypass,
            trouble=self._trouble,
            repairs=dict(self._repairs),
            setup_errors=dict(self._errors),
            at=self._clock(),
        )

    def repair(self, state: NodeState) -> None:
        """Begin to put back what `check` found missing, unless that is under way or was just done; never raises."""
        now = self._clock()
        if state.ok or self._device is None or now < self._repaired_at + self._pause:
            return
        if self._job is not None:
            if self._job.request.what == helper.SET_UP:
                return
            self._job.cancel()  # a test of what is missing
            self._job = None
        what = [name for name, lost in (("interface", state.missing), ("rules", state.rules is False)) if lost]
        _log.warning("%s", "putting back what is missing on the node", extra={"fields": {"what": " and ".join(what)}})
        self._repairs.update(what)
        # Somebody may remove it again and again, or it may not work: that must not cost a third of a core.
        calm = now >= self._repaired_at + _CALM_SECONDS
        self._pause = 0.0 if calm else min(_LONGEST_PAUSE_SECONDS, max(1.0, 2 * self._pause))
        self._repaired_at = now
        self._start(helper.SET_UP, ErrorType.INTERFACE_CHECK if state.missing else ErrorType.IPTABLES)

    def test_bypass(self) -> None:
        """Begin the self-test of the conntrack bypass, if there are rules to test and nothing else is under way.

        A later `check` has its result. It sends two queries to each listen address: the resolver must answer by then.
        """
        if self._device is not None and self._plan.rules and self._job is None:
            self._start(helper.TEST_BYPASS, ErrorType.IPTABLES)

    def leave(self) -> None:
        """A successor owns the node from now on: nothing is checked, repaired or torn down any more."""
        self._cancel()
        self._device = None

    def withdraw(self) -> None:
        """Let questions pass by, to whoever else answers for their address; never raises. `tear_down` comes next."""
        if self._device is None or not self._plan.rules:
            return
        self._cancel()
        try:
            Job(helper.Request(helper.SET_UP, rules=self._plan.rules.replies), ErrorType.IPTABLES).wait()
        except NodeError as error:
            self._note(error)
            _log.error("%s", "questions cannot be sent elsewhere", extra={"fields": {"reason": str(error)}})

    def tear_down(self) -> None:
        """Remove the rules, then the addresses with their interface; never raises. Takes a third of a second."""
        if self._device is None:
            return
        self._cancel()
        device = self._device
        self._device = None
        try:
            Job(self._request(helper.TEAR_DOWN, device=device), self._error_type).wait()
        except NodeError as error:
            self._note(error)
            _log.error("%s", "the node cannot be left as it was", extra={"fields": {"reason": str(error)}})

    @property
    def _error_type(self) -> ErrorType:
        return ErrorType.INTERFACE_ADD if self._plan.device else ErrorType.IPTABLES

    def _request(self, what: str, device: str | None = None) -> helper.Request:
        if what != helper.TEAR_DOWN and self._plan.rules:
            rules = self._plan.rules.put
            self._ruled = True
        else:
            rules = REMOVE if self._ruled else ""
        return helper.Request(
            what,
            device=self._plan.device if device is None else device,
            kind=self._kind,
            assign=self._plan.assign,
            drop=tuple(self._dropped.difference(self._plan.assign)),
            rules=rules,
            ask=self._plan.reach,
            port=self._plan.port,
        )

    def _start(self, what: str, kind: ErrorType) -> None:
        try:
            self._job = Job(self._request(what), kind)
        except NodeError as error:
            self._failed(error)

    def _collect(self) -> None:
        if self._job is None:
            return
        try:
            reply = self._job.poll()
        except NodeError as error:
            self._failed(error)
            return
        if reply is None:
            return
        tested = self._job.request.what == helper.TEST_BYPASS
        self._job = None
        if tested:
            self._tested(reply)
        else:
            self._placed(reply)

    def _placed(self, reply: dict[str, Any]) -> None:
        self._trouble = ""
        self._dropped.clear()
        before, self._device = self._device, str(reply["device"])
        if self._plan.device and self._device not in {before, self._plan.device}:
            _log.warning(
                "%s",
                "this kernel has no dummy devices, the loopback device carries the addresses",
                extra={"fields": {"device": self._device}},
            )

    def _tested(self, reply: dict[str, Any]) -> None:
        result = BypassResult(reply["result"])
        if self._bypass is None or self._bypass.result is not result:
            level = logging.INFO if result is BypassResult.PASSED else logging.WARNING
            fields = {"result": result.value, "reason": reply["reason"]}
            _log.log(level, "%s", "self-test of the conntrack bypass", extra={"fields": fields})
        self._bypass = Bypass(result, reply["reason"], self._clock())

    def _failed(self, error: NodeError) -> None:
        """A repair or a test did not work: say so once."""
        self._job = None
        if str(error) != self._trouble:
            _log.error("%s", "the node cannot be repaired", extra={"fields": {"reason": str(error)}})
        self._note(error)

    def _note(self, error: NodeError) -> None:
        self._errors[error.kind.value] += 1
        self._trouble = str(error)

    def _has_rules(self, count: int) -> bool:
        try:
            return count_rules(TABLE) == count
        except OSError as error:
            self._trouble = f"node.notrack: nftables cannot be asked: {error.strerror}"
            return True  # nothing that setting them again would mend

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self._job = None
