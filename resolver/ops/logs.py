"""Structured logs: an event is a short constant sentence with fields, written as JSON or as a line for people.

Everything goes through a bounded queue to a thread that writes it. Whoever reads our log may stop reading (a full pipe
of the container runtime), and a write to a full pipe blocks: answers must not wait for that. What does not fit into the
queue is dropped and counted. The supervisor has no thread, because it forks: it writes a line itself if there is room
for it at once.
"""

import logging
import os
import select
from collections.abc import Callable, Mapping
from contextlib import suppress
from json import dumps
from queue import SimpleQueue
from threading import Thread
from time import gmtime, strftime
from typing import Final

from resolver.config import Log, LogFormat

Value = str | int | float | bool | None

STDERR: Final = 2
QUEUED: Final = 8192
"""Lines that may wait to be written, about 1 KiB each; more are dropped."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@[],%+*#")

QUERY_LOG: Final = "resolver.queries"
"""The logger of `querylog`."""


def event(logger: logging.Logger, level: int, sentence: str, /, **fields: Value) -> None:
    """Log that something has happened: a constant sentence, and what differs from one time to the next as fields."""
    logger.log(level, "%s", sentence, extra={"fields": fields})


class Logs:
    """The process's log, from `start` to `close`. `settings` may change in between (`reconfigure`)."""

    def __init__(self, settings: Log, descriptor: int = STDERR, *, queued: int = QUEUED) -> None:
        self._settings = settings
        self._queue: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self._enqueue = _Enqueue(self._queue, queued)
        self._writer = _Writer(descriptor)
        self._direct = _Direct(descriptor)
        self._thread: Thread | None = None

    @property
    def dropped_total(self) -> int:
        """Lines that did not fit into the queue."""
        return self._enqueue.dropped + self._direct.dropped

    def start(self) -> None:
        """Take over the root logger and begin to write. Threads do not survive a fork: start after it."""
        logging.basicConfig(handlers=[self._enqueue], force=True)
        self.reconfigure(self._settings)
        self._thread = Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def start_direct(self) -> None:
        """Take over the root logger without a thread: a line for which there is no room at once is dropped."""
        logging.basicConfig(handlers=[self._direct], force=True)
        self.reconfigure(self._settings)

    def reconfigure(self, settings: Log) -> None:
        """Take over another format or level, for the lines that are written from now on."""
        self._settings = settings
        for writer in (self._writer, self._direct):
            writer.setFormatter(JsonLines() if settings.format is LogFormat.JSON else TextLines())
        logging.getLogger().setLevel(settings.level.value.upper())
        logging.getLogger(QUERY_LOG).setLevel(
            logging.INFO
        )  # whether there is a query log is for `log.queries` to say, not for the level

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued, and stop; what cannot be written in this time is lost, and so are later lines."""
        logging.getLogger().removeHandler(self._enqueue)
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(seconds)
            self._thread = None

    def _write(self) -> None:
        while (record := self._queue.get()) is not None:
            self._writer.handle(record)


class _Enqueue(logging.Handler):
    """Queues records as they are: all that they refer to is immutable, so the text can be made later."""

    def __init__(self, queue: "SimpleQueue[logging.LogRecord | None]", most: int) -> None:
        super().__init__()
        self.dropped = 0
        self._queue = queue
        self._most = most

    def emit(self, record: logging.LogRecord) -> None:
        if self._queue.qsize() < self._most:
            self._queue.put(record)
        else:
            self.dropped += 1


class _Writer(logging.Handler):
    """Writes a line with one system call, past Python's own buffer, whose lock a stuck write would hold at exit."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - a call with wrong arguments, in whatever library
            line = f"a log line that cannot be written: {error!r}"
        with suppress(OSError):  # nobody reads any more, and there is nowhere else to say so
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace") + b"\n")


class _Direct(_Writer):
    """Writes if that cannot block. poll(2) calls a pipe writable when it has room for PIPE_BUF bytes."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.dropped = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        if self._poll.poll(0):
            super().emit(record)
        else:
            self.dropped += 1


class JsonLines(logging.Formatter):
    """One JSON object per line: `ts` (RFC 3339, UTC), `level`, `event`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Value] = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        for name, value in _fields(record).items():
            line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


class TextLines(logging.Formatter):
    """For people: time, level, event, `field=value`; a traceback on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        words = [_timestamp(record), f"{record.levelname:<7}", _printable(record.getMessage())]
        words += [f"{name}={_quoted(value)}" for name, value in _fields(record).items()]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _fields(record: logging.LogRecord) -> Mapping[str, Value]:
    fields: Mapping[str, Value] | Callable[[], Mapping[str, Value]] = getattr(record, "fields", {})
    return fields() if callable(fields) else fields


def _timestamp(record: logging.LogRecord) -> str:
    # Not with datetime, which is 0.3 MiB that nothing else here needs.
    seconds, fraction = divmod(record.created, 1)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{int(fraction * 1000):03d}Z"


def _quoted(value: Value) -> str:
    """A value that a space or a quote cannot be taken for the end of, and that stays on its line."""
    text = value if isinstance(value, str) else dumps(value)
    return text if text and _PLAIN.issuperset(text) else dumps(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else dumps(text)[1:-1]
