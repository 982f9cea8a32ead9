"""Keeps the node as the configuration wants it, for as long as this supervisor owns it, and says how it is.

Where that leaves the node alone, nothing of `resolver.node` is imported: 0.1 MiB of each process.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from resolver.config import Config
from resolver.nodestate import NodeState
from resolver.supervisor.loop import Loop

if TYPE_CHECKING:
    from resolver.node.node import Node

CHECK_SECONDS: Final = 0.5
"""Between two looks at the node: with half a second for the helper, repairs are over within two."""
BYPASS_SECONDS: Final = 300.0
"""Between two self-tests of the conntrack bypass."""
_TOLD_SECONDS: Final = 10.0


class Keeper:
    """`set_up`, then `follow` changes; at the end `withdraw` and `tear_down`, or `leave` it to a successor."""

    def __init__(self, loop: Loop, config: Config, tell: Callable[[NodeState], None]) -> None:
        self.state = NodeState()
        """What was told last."""
        self._loop = loop
        self._node = _node(config)
        self._tell = tell
        self._looking = False
        self._owns = False
        self._withdrawn = False

    def set_up(self) -> None:
        """Take the node over; raises NodeError, and then it is as it was."""
        if self._node is None:
            return
        self._node.set_up()
        self._owns = True
        if self._node.wanted:
            self._begin()

    def follow(self, config: Config) -> None:
        """A configuration is in force that may want other addresses or rules."""
        if self._node is not None and self._owns and not self._withdrawn:
            self._node.change(config.listen, config.admin)
            if self._node.wanted:
                self._begin()

    def withdraw(self) -> None:
        """The end is near: from now on nothing is put back, and questions go elsewhere if anybody else answers them."""
        if self._node is not None and self._owns and not self._withdrawn:
            self._withdrawn = True
            self._node.withdraw()

    def leave(self) -> None:
        """A successor owns the node."""
        self._owns = False
        if self._node is not None:
            self._node.leave()

    def tear_down(self) -> None:
        """Leave the node as it was before."""
        if self._node is not None and self._owns:
            self._owns = False
            self._node.tear_down()

    def _begin(self) -> None:
        if not self._looking:
            self._looking = True
            self._look()
            self._test()

    def _look(self) -> None:
        if self._node is None or not self._owns or self._withdrawn:
            return
        self._loop.after(CHECK_SECONDS, self._look)
        state = self._node.check()
        self._node.repair(state)
        if state._replace(at=self.state.at) != self.state or state.at - self.state.at > _TOLD_SECONDS:
            self.state = state
            self._tell(state)

    def _test(self) -> None:
        if self._node is not None and self._owns and not self._withdrawn:
            self._loop.after(BYPASS_SECONDS, self._test)
            self._node.test_bypass()


def _node(config: Config) -> "Node | None":
    """None: nothing is to be done there, and `node` itself takes a restart."""
    if not (config.node.manage_interface or config.node.notrack):
        return None
    from resolver.node.node import Node  # noqa: PLC0415 - see the module

    return Node(config.node, config.listen, config.admin)
