"""Structured logs: an event is a short constant sentence with fields, written as JSON or as a line for people.

Everything goes through a bounded queue to a thread that writes it. Whoever reads our log may stop reading (a full pipe
of the container runtime), and a write to a full pipe blocks: answers must not wait for that. What does not fit into the
queue is dropped and counted. The supervisor has no thread, because it forks: it writes a line itself if there is room
for it at once.
"""

import logging
import os
import select
from _queue import SimpleQueue  # queue's, without threading and heapq, which a supervisor has no use for
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Callable, Mapping
from time import gmtime, strftime
from typing import Final

from resolver.config import Log, LogFormat
from resolver.events import Value
from resolver.lean import loggers
from resolver.lean.deferred import when_loaded
from resolver.lean.jsontext import dumps
from resolver.lean.loggers import Recorded as Record
from resolver.ops.recent import Recent

STDERR: Final = 2
QUEUED: Final = 2048
"""Lines that may wait to be written, about 1 KiB each; more are dropped."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@[],%+*#")

QUERY_LOG: Final = "resolver.queries"
"""The logger of `querylog`."""


class Logs:
    """The process's log, from `start` to `close`. `settings` may change in between (`reconfigure`)."""

    def __init__(self, settings: Log, descriptor: int = STDERR, *, queued: int = QUEUED) -> None:
        self.recent = Recent(QUERY_LOG)
        """What this process has logged last."""
        self.on_exception: Callable[[BaseException | None], None] = lambda _error: None
        """Called with what is about to be logged as the reason of a line."""
        self._not_queued = 0
        self._not_written = 0  # of the thread that writes, the other of those that log
        self._begun = False
        self._settings = settings
        self._most_queued = queued
        self._queue: SimpleQueue[Record | None] = SimpleQueue()
        self._descriptor = descriptor
        self._line: Callable[[Record], str] = json_line
        self._writing: LockType | None = None  # held by the thread while there is one
        self._handler: logging.Handler | None = None

    @property
    def dropped_total(self) -> int:
        """Lines that did not fit into the queue, or that could not be written."""
        return self._not_queued + self._not_written

    def start(self) -> None:
        """Take over the root logger and begin to write. Threads do not survive a fork: start after it."""
        self._take_over(self._enqueue)
        self._writing = allocate_lock()
        self._writing.acquire()
        start_new_thread(self._write_queued, (self._writing,))  # threading's keeps whom no process waits for: 0.1 MiB

    def start_direct(self) -> None:
        """Take over the root logger without a thread: a line for which there is no room at once is dropped."""
        room = select.poll()  # calls a pipe writable when it has room for PIPE_BUF bytes
        room.register(self._descriptor, select.POLLOUT)

        def write(record: Record) -> None:
            if room.poll(0):
                self._write(record)
            else:
                self._not_written += 1

        self._take_over(write)

    def reconfigure(self, settings: Log) -> None:
        """Take over another format or level, for the lines that are written from now on."""
        self._settings = settings
        self._line = json_line if settings.format is LogFormat.JSON else text_line
        logging.getLogger().setLevel(settings.level.value.upper())
        # Whether there is a query log is for `log.queries` to say, not for the level.
        logging.getLogger(QUERY_LOG).setLevel(logging.INFO)

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued, and stop; what cannot be written in this time is lost, and so are later lines."""
        loggers.hand_records_to(lambda _record: None)
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
        if self._writing is not None:
            self._queue.put(None)
            self._writing.acquire(timeout=seconds)
            self._writing = None

    def _take_over(self, take: Callable[[Record], None]) -> None:
        """Have each record given to `take`: our own loggers', and logging's as soon as that is there."""

        def take_and_note(record: Record) -> None:
            if record.exc_info:
                self.on_exception(record.exc_info[1])
            take(record)
            self.recent.note(record)

        loggers.hand_records_to(take_and_note)
        when_loaded("logging", lambda: self._take_over_logging(take_and_note))
        self.reconfigure(self._settings)

    def _take_over_logging(self, take: Callable[[Record], None]) -> None:
        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                take(record)

        self._handler = Handler()
        logging.basicConfig(handlers=[self._handler], force=True)
        self.reconfigure(self._settings)

    def _enqueue(self, record: Record) -> None:
        """Queue a record as it is: all that it refers to is immutable, so the text can be made later."""
        if self._queue.qsize() < self._most_queued:
            self._queue.put(record)
        else:
            self._not_queued += 1

    def _write_queued(self, writing: LockType) -> None:
        try:
            while (record := self._queue.get()) is not None:
                self._write(record)
        finally:
            writing.release()

    def _write(self, record: Record) -> None:
        """Write a line with one system call, past Python's own buffer, whose lock a stuck write would hold at exit.

        What cannot be written (a full disk, a reader that is gone) is counted. A line of which only the beginning could
        be written is ended before the next one.
        """
        try:
            line = self._line(record)
        except Exception as error:  # noqa: BLE001 - a call with wrong arguments, in whatever library
            line = f"a log line that cannot be written: {error!r}"
        text = b"\n" * self._begun + line.encode("utf-8", "backslashreplace") + b"\n"
        try:
            written = os.write(self._descriptor, text)
        except OSError:  # there is nowhere else to say so
            self._not_written += 1
            return
        self._begun = written < len(text)
        self._not_written += self._begun


def json_line(record: Record) -> str:
    """One JSON object: `ts` (RFC 3339, UTC), `level`, `event`, then the fields."""
    line: dict[str, Value] = {
        "ts": _timestamp(record),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    for name, value in _fields(record).items():
        line.setdefault(name, value)
    if record.exc_info:
        line["exception"] = _traceback(record.exc_info)
    text = dumps(line, ensure_ascii=False, default=str)
    # JSON allows what a terminal obeys (U+009B) and what some readers take for the end of a line (U+2028).
    return text if text.isprintable() else dumps(line, default=str)


def text_line(record: Record) -> str:
    """For people: time, level, event, `field=value`; a traceback on lines of its own."""
    words = [_timestamp(record), f"{record.levelname:<7}", _printable(record.getMessage())]
    words += [f"{name}={_quoted(value)}" for name, value in _fields(record).items()]
    line = " ".join(words)
    return f"{line}\n{_traceback(record.exc_info)}" if record.exc_info else line


def _traceback(raised: loggers.ExceptionInfo) -> str:
    from traceback import format_exception  # noqa: PLC0415 - for what hardly ever happens

    return "".join(format_exception(*raised)).rstrip("\n")


def _fields(record: Record) -> Mapping[str, Value]:
    fields: Mapping[str, Value] | Callable[[], Mapping[str, Value]] = getattr(record, "fields", {})
    return fields() if callable(fields) else fields


def _timestamp(record: Record) -> str:
    # Not with datetime, which is 0.3 MiB that nothing else here needs.
    seconds, fraction = divmod(record.created, 1)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{int(fraction * 1000):03d}Z"


def _quoted(value: Value) -> str:
    """A value that a space or a quote cannot be taken for the end of, and that stays on its line."""
    text = value if isinstance(value, str) else dumps(value)
    return text if text and _PLAIN.issuperset(text) else dumps(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else dumps(text)[1:-1]
