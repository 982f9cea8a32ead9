"""A question, an answer to it, and a world whose resolver remembers that."""

from tests.unit.builders import (
    addresses,
    answer_packet,
    query_packet,
)
from tests.unit.world import World

WEB = query_packet(edns=1232)
GOOD = answer_packet(answers=addresses(1))


def knowing(said: bytes = GOOD, *, packet: bytes = WEB, world: World | None = None) -> World:
    """A world whose resolver remembers an answer to the packet's question."""
    world = world or World()
    world.ask(packet)
    world.sends[-1].answer(said)
    return world
