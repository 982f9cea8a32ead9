"""Keeps the node as the configuration wants it, for as long as this supervisor owns it, and says how it is."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from resolver.config import Config
from resolver.node.errors import NodeError
from resolver.node.node import CHECK_SECONDS, Node
from resolver.nodestate import NodeState
from resolver.ops.logs import event
from resolver.supervisor.loop import Loop

_log = logging.getLogger(__name__)

BYPASS_SECONDS: Final = 300.0
"""Between two self-tests of the conntrack bypass."""
_TOLD_SECONDS: Final = 10.0


class Keeper:
    """`set_up`, then `follow` changes; at the end `tear_down`, or `leave` it to a successor."""

    def __init__(self, loop: Loop, config: Config, tell: Callable[[NodeState], None]) -> None:
        self.state = NodeState()
        """What was told last."""
        self._loop = loop
        self._config = config
        self._node = _node(config)
        self._tell = tell
        self._looking = False
        self._owns = False

    def set_up(self) -> None:
        """Take the node over; raises NodeError, and then it is as it was."""
        self._node.set_up()
        self._owns = True
        if self._node.wanted:
            self._begin()

    def follow(self, config: Config) -> None:
        """A configuration is in force that may want other addresses or rules."""
        before, self._config = self._config, config
        same = (before.listen.addresses, before.listen.port, before.admin) == (
            config.listen.addresses, config.listen.port, config.admin,
        )  # fmt: skip
        if same or not self._owns:
            return
        # What is created and by which name takes a restart to change.
        node = _node(replace(config, node=before.node))
        self._config = replace(config, node=before.node)
        try:
            node.set_up()
        except NodeError as error:
            event(_log, logging.ERROR, "the node stays as it was", reason=str(error))
            return
        self._node.leave()
        self._node = node
        if node.wanted:
            self._begin()

    def leave(self) -> None:
        """A successor owns the node."""
        self._owns = False
        self._node.leave()

    def tear_down(self) -> None:
        """Leave the node as it was before."""
        if self._owns:
            self._owns = False
            self._node.tear_down()

    def _begin(self) -> None:
        if not self._looking:
            self._looking = True
            self._look()
            self._test()

    def _look(self) -> None:
        if not self._owns:
            return
        self._loop.after(CHECK_SECONDS, self._look)
        state = self._node.check()
        self._node.repair(state)
        if replace(state, at=self.state.at) != self.state or state.at - self.state.at > _TOLD_SECONDS:
            self.state = state
            self._tell(state)

    def _test(self) -> None:
        if self._owns:
            self._loop.after(BYPASS_SECONDS, self._test)
            self._node.test_bypass()


def _node(config: Config) -> Node:
    return Node(config.node, config.listen, config.admin)
