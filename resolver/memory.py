"""The answers of one worker on their way to a worker of its successor, through a pipe.

Both sides have queries to answer (the giving one does, while it gives), so each does a little per turn of the loop.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from resolver.cache.snapshot import MARK, Reader, Remembered, write
from resolver.engine import Engine

PATIENCE_SECONDS: Final = 5.0
"""How long a successor waits for all of it."""
_PIECE_BYTES: Final = 32 * 1024
_SLACK: Final = 2
"""Bytes read at most, as a multiple of `cache.size`."""


class Giving:
    """Writes what the engine remembers into a pipe, which it closes at the end."""

    def __init__(self, engine: Engine, descriptor: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._pieces = _pieces(engine)
        self._piece = b""
        os.set_blocking(descriptor, False)
        self._loop.add_writer(descriptor, self._write)

    def _write(self) -> None:
        try:
            if not self._piece:
                self._piece = next(self._pieces)
            self._piece = self._piece[os.write(self._descriptor, self._piece) :]
        except BlockingIOError:
            pass
        except (StopIteration, OSError):  # all is written, or nobody reads any more
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)


def _pieces(engine: Engine) -> Iterator[bytes]:
    piece = MARK
    now = monotonic()
    for entry in list(engine.store):
        piece += write(entry, now)
        if len(piece) >= _PIECE_BYTES:
            yield piece
            piece, now = b"", monotonic()
    if piece:
        yield piece


async def take(engine: Engine, descriptor: int, most_bytes: int) -> int:
    """Remember what comes out of the pipe, for at most PATIENCE_SECONDS, and close it; how many answers there were."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    reader = Reader()
    taken = read = 0

    def ready() -> None:
        nonlocal taken, read
        try:
            data = os.read(descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        read += len(data)
        now = monotonic()
        for remembered in reader.feed(data):
            taken += _remember(engine, remembered, now)
        if (not data or reader.failed or read > _SLACK * most_bytes) and not done.done():
            done.set_result(None)

    os.set_blocking(descriptor, False)
    loop.add_reader(descriptor, ready)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await done
    loop.remove_reader(descriptor)
    os.close(descriptor)
    return taken


def _remember(engine: Engine, remembered: Remembered, now: float) -> bool:
    """Put an answer where it would be had it been asked for here; False: it must not be remembered (any more)."""
    route = engine.routes.find(remembered.key[:-_KEY_TAIL])
    if route is None:
        return False
    stored_at = now - remembered.age_seconds
    entry = engine.store.put(remembered.key, remembered.answer, route.zone, route.label, remembered.server, stored_at)
    if entry is None:
        return False
    entry.asks = remembered.uses
    entry.saved = max(entry.saved, min(remembered.uses, 1))
    if now >= entry.stale_until:
        engine.store.remove(remembered.key)
        return False
    return True


_KEY_TAIL = 5  # type, class and bits, behind the name
