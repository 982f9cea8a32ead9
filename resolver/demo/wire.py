"""Ask questions over UDP as a pod's libc does: one socket, every packet at once, wait for all replies.

Used by the demo's pods and by its CoreDNS stand-in when it forwards. A reply counts when its ID is that of a packet
and it comes from the server asked (the socket is connected, the kernel drops anything else).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies in the order of the questions, None where there was none, and the time from sending to the last."""

    packets: tuple[bytes | None, ...]
    seconds: float


async def ask(server: Address, packets: Sequence[bytes], timeout_seconds: float) -> Replies:
    """Send `packets` (with different IDs) and wait until each has its reply, at most `timeout_seconds`."""
    loop = asyncio.get_running_loop()
    waiting: dict[bytes, asyncio.Future[bytes]] = {packet[:2]: loop.create_future() for packet in packets}
    transport, _ = await loop.create_datagram_endpoint(lambda: _Receiver(waiting), remote_addr=server)
    sent_at = perf_counter()  # uvloop's loop.time() counts whole milliseconds
    try:
        for packet in packets:
            transport.sendto(packet)
        await asyncio.wait(waiting.values(), timeout=timeout_seconds)
        seconds = perf_counter() - sent_at
    finally:
        transport.close()
    replies = [waiting[packet[:2]] for packet in packets]
    return Replies(tuple(r.result() if r.done() and not r.cancelled() else None for r in replies), seconds)


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, waiting: dict[bytes, asyncio.Future[bytes]]) -> None:
        self._waiting = waiting

    def datagram_received(self, data: bytes, addr: Address) -> None:
        reply = self._waiting.get(data[:2])
        if reply is not None and not reply.done():
            reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Give up at once: on a connected socket this is ICMP's "nobody listens there"."""
        for reply in self._waiting.values():
            reply.cancel()
