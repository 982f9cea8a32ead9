"""The way back to a client that reads everything at once: a transport of asyncio without a network."""

import asyncio
from typing import Any


class Wire(asyncio.Transport):
    """What was written, and whether the connection is closed or not read from."""

    def __init__(self, client: str) -> None:
        super().__init__({"peername": (client, 12345)})
        self.written = bytearray()
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass
