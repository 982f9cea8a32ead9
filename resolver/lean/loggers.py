"""Loggers as `logging` has them, for a process whose log (`resolver.ops.logs`) needs no more of them than a record.

The real module takes 0.3 MiB, and 0.6 more with traceback, threading and string in a process that has none of these, as
the supervisor. `defer_logging` has `import logging` find the names below instead, until somebody asks for another one:
then the real one is loaded (`deferred`), and the log takes over its root logger, too. Loggers that were given out
before keep working.
"""

import sys
from collections.abc import Callable, Mapping
from time import time  # noqa: TID251 - the time for a line of the log is the one that people have
from types import TracebackType
from typing import Protocol

from resolver.lean.deferred import defer

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR", CRITICAL: "CRITICAL"}

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Recorded(Protocol):
    """What a log reads of a record, logging's or our own."""

    name: str
    levelno: int
    levelname: str
    created: float
    exc_info: ExceptionInfo | None

    def getMessage(self) -> str: ...  # noqa: N802 - logging's name


class Record:
    """What `logging.LogRecord` has of use here."""

    __slots__ = ("_arguments", "_message", "created", "exc_info", "fields", "levelname", "levelno", "name")

    def __init__(self, name: str, level: int, message: object, arguments: tuple[object, ...], exc_info: object) -> None:
        self.name = name
        self.levelno = level
        self.levelname = _NAMES.get(level, f"Level {level}")
        self.created = time()
        self.fields: object = {}
        self.exc_info = _exception(exc_info)
        self._message = message
        self._arguments = arguments

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        """The sentence with its arguments; raises TypeError or ValueError where they do not fit."""
        given = self._arguments
        if len(given) == 1 and isinstance(given[0], Mapping) and given[0]:  # as logging does: "%(name)s"
            return str(self._message) % given[0]
        return str(self._message) % given if given else str(self._message)


def _exception(told: object) -> ExceptionInfo | None:
    if isinstance(told, BaseException):
        return type(told), told, told.__traceback__
    if isinstance(told, tuple):
        return told
    return sys.exc_info() if told else None


class Logger:
    """The methods of `logging.Logger` by which something is logged; its level, or the root's where it has none."""

    __slots__ = ("_level", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._level = 0

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - logging's name
        """Have nothing logged below this level; 0: the root logger's holds."""
        self._level = level if isinstance(level, int) else next(key for key, name in _NAMES.items() if name == level)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Whether anything of this level is logged."""
        return level >= (self._level or ROOT._level or WARNING)

    def getEffectiveLevel(self) -> int:  # noqa: N802 - logging's name
        """The level from which on something is logged."""
        return self._level or ROOT._level or WARNING

    def log(self, level: int, message: object, *arguments: object, **named: object) -> None:
        """As logging's, of its named arguments `exc_info` and `extra`; the latter's `fields` count."""
        if level < (self._level or ROOT._level or WARNING):
            return
        record = Record(self.name, level, message, arguments, named.get("exc_info"))
        extra = named.get("extra")
        if isinstance(extra, Mapping):
            record.fields = extra.get("fields", {})
        _takers[-1](record)

    def debug(self, message: object, *arguments: object, **named: object) -> None:
        self.log(DEBUG, message, *arguments, **named)

    def info(self, message: object, *arguments: object, **named: object) -> None:
        self.log(INFO, message, *arguments, **named)

    def warning(self, message: object, *arguments: object, **named: object) -> None:
        self.log(WARNING, message, *arguments, **named)

    def error(self, message: object, *arguments: object, **named: object) -> None:
        self.log(ERROR, message, *arguments, **named)

    def critical(self, message: object, *arguments: object, **named: object) -> None:
        self.log(CRITICAL, message, *arguments, **named)

    def exception(self, message: object, *arguments: object, **named: object) -> None:
        self.log(ERROR, message, *arguments, **{"exc_info": True, **named})


Taker = Callable[[Record], None]


def _last_resort(record: Record) -> None:
    """Before there is a log, and after: as logging does it."""
    sys.stderr.write(f"{record.getMessage()}\n")


ROOT = Logger("root")
_loggers: dict[str, Logger] = {}
_takers: list[Taker] = [_last_resort]


def get_logger(name: str = "") -> Logger:
    """The one logger of this name; the root logger has none."""
    return _loggers.setdefault(name, Logger(name)) if name else ROOT


def hand_records_to(taker: Taker) -> None:
    """Have every record that these loggers make from now on given to `taker`."""
    _takers[-1] = taker


def defer_logging() -> None:
    """To be called before anything imports logging; no change where it is imported already."""
    levels = {name: level for level, name in _NAMES.items()}
    defer("logging", {"getLogger": get_logger, **levels})
