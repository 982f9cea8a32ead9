"""A namespace that plays the node, and a kind of device for its interface.

Where the kernel has no dummy devices, those of the kind ifb stand in for them (no ARP, always up, as a dummy's), and
what the resolver does on such a kernel, addresses on lo, is tested everywhere by asking for a kind that no kernel has.
"""

from collections.abc import Callable, Iterator

import pytest

from resolver.config.values import Admin, Listen
from resolver.config.values import Node as NodeSettings
from resolver.node import jobs
from resolver.node.node import Node
from tests.lab.netns import Namespace, namespaces
from tests.needs import require

NodeMaker = Callable[..., Node]


@pytest.fixture
def place() -> Iterator[Namespace]:
    """The node. This thread is in it: what the test calls happens there."""
    require("netns", "nft", "conntrack")
    with namespaces("node") as (namespace,), namespace.entered():
        yield namespace


@pytest.fixture(autouse=True)
def _the_helper_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no finding that a machine busy with other tests needs ten seconds to start a process."""
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def kind(place: Namespace) -> str:
    if place.run("ip", "link", "add", "probe", "type", "dummy").returncode:
        return "ifb"
    place.ip("link", "del", "probe")
    return "dummy"


@pytest.fixture
def make(kind: str) -> NodeMaker:
    """Makes a Node that manages these listen addresses."""

    def node(*addresses: str, device_kind: str = kind, notrack: bool = True, admin: str = "0.0.0.0") -> Node:
        settings = NodeSettings(manage_interface=True, notrack=notrack)
        return Node(settings, Listen(addresses), Admin(admin), kind=device_kind)

    return node
