"""The answers of one worker on their way to a worker of its successor, through a pipe that stays open until it ends.

First goes what it remembers when the successor asks, then what it learns from then on: answers that expire together,
just when a successor begins, are fetched by one of the two for both. Each side has queries to answer and does a little
per turn of the loop.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from resolver.cache.entry import MOST_ASKS
from resolver.cache.snapshot import MARK, UP_TO_DATE, Reader, Remembered, write
from resolver.cache.store import Store
from resolver.engine import Engine

PATIENCE_SECONDS: Final = 5.0
"""How long a successor waits for what was remembered, before it begins to answer; what comes later is taken as well."""
OVERLAP_SECONDS: Final = 60.0
"""How long it reads at most: longer than a predecessor stays (`TAKEOVER_SECONDS` and the end of its lookups)."""
MOST_LEARNT: Final = 16_384
"""Answers learnt that wait for a successor to read. Beyond, the oldest are left out."""
_GIVEN_BYTES: Final = 32 * 1024
_TAKEN_BYTES: Final = 8 * 1024
"""Less: whoever takes may have begun to answer, and reading an answer costs more than writing it."""
_SLACK: Final = 2
"""Bytes read at most, as a multiple of `cache.size`, before the successor is up to date and after."""
_KEY_TAIL = 5  # type, class and bits, behind the name


class Giving:
    """Writes what the engine remembers and learns into a pipe, until nobody reads any more, `finish` or `close`."""

    def __init__(self, engine: Engine, descriptor: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._store = engine.store
        self._learnt: deque[bytes] = deque(maxlen=MOST_LEARNT)
        self._remembered = _pieces(engine.store)
        self._piece = b""
        self._closed = self._writing = False
        os.set_blocking(descriptor, False)
        self._store.on_put = self._put
        self._begin()

    def finish(self) -> None:
        """Write what there is as far as the pipe has room at once, and close it: this process ends."""
        with suppress(BlockingIOError, OSError):
            while not self._closed and self._step():
                pass
        self.close()

    def close(self) -> None:
        """Write nothing more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._store.on_put = None
        self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)

    def _put(self, key: bytes) -> None:
        self._learnt.append(key)
        if not self._writing:
            self._begin()

    def _begin(self) -> None:
        self._writing = True
        self._loop.add_writer(self._descriptor, self._write)

    def _write(self) -> None:
        try:
            if not self._step():
                self._writing = False
                self._loop.remove_writer(self._descriptor)
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more: the successor has given up
            self.close()

    def _step(self) -> bool:
        """Write a piece; whether there was one. Raises OSError."""
        if not self._piece:
            self._piece = next(self._remembered, b"") or self._learnt_piece()
        if not self._piece:
            return False
        self._piece = self._piece[os.write(self._descriptor, self._piece) :]
        return True

    def _learnt_piece(self) -> bytes:
        piece = b""
        while self._learnt and len(piece) < _GIVEN_BYTES:
            entry = self._store.peek(self._learnt.popleft())
            if entry is not None:
                piece += write(entry)
        return piece


def _pieces(store: Store) -> Iterator[bytes]:
    """What is remembered, without what is forgotten while it is being written."""
    piece = MARK
    for entry in list(store):
        if store.peek(entry.key) is entry:
            piece += write(entry)
        if len(piece) >= _GIVEN_BYTES:
            yield piece
            piece = b""
    yield piece + UP_TO_DATE


class Taking:
    """Remembers what comes out of a pipe, which it closes at its end, with `close`, or when it is too much or too late.

    `on_end` is called then with the number of answers that the other one has learnt since it was asked.
    """

    def __init__(self, engine: Engine, descriptor: int, most_bytes: int, on_end: Callable[[int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._descriptor = descriptor
        self._most_bytes = _SLACK * most_bytes
        self._on_end = on_end
        self._reader = Reader()
        self._taken = self._learnt = self._read_bytes = 0
        self._up_to_date: asyncio.Future[None] = self._loop.create_future()
        self._closed = False
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._ready)
        self._timer = self._loop.call_later(OVERLAP_SECONDS, self.close)

    async def up_to_date(self) -> int:
        """Wait until all has come that was remembered when we asked, for at most PATIENCE_SECONDS; how many answers."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._up_to_date
        return self._taken

    def close(self) -> None:
        """Read nothing more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._timer.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._settle()
        self._on_end(self._learnt)

    def _settle(self) -> None:
        if not self._up_to_date.done():
            self._up_to_date.set_result(None)

    def _ready(self) -> None:
        try:
            data = os.read(self._descriptor, _TAKEN_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._read_bytes += len(data)
        now = monotonic()
        for remembered in self._reader.feed(data, now):
            taken = _remember(self._engine, remembered, now)
            if self._reader.up_to_date:
                self._learnt += taken
            else:
                self._taken += taken
        if not data or self._reader.failed or self._read_bytes > self._most_bytes:
            self.close()
        elif self._reader.up_to_date and not self._up_to_date.done():
            self._settle()
            self._read_bytes = 0


def _remember(engine: Engine, remembered: Remembered, now: float) -> bool:
    """Put an answer where it would be had it been asked for here; False: it must not be remembered (any more)."""
    store, key = engine.store, remembered.key
    route = engine.routes.find(key[:-_KEY_TAIL])
    known = store.peek(key)
    if route is None or (known is not None and known.stored_at >= remembered.stored_at):
        return False  # what was learnt here later is nearer to the truth
    entry = store.put(key, remembered.answer, route.zone, route.label, remembered.server, remembered.stored_at)
    if entry is None:
        return False
    entry.asks = min(remembered.uses, MOST_ASKS)
    entry.saved = max(entry.saved, min(remembered.uses, 1))
    if now >= entry.stale_until:
        store.remove(key)
        return False
    return True
