"""Something has happened: how every part says so, without knowing who writes the log (`resolver.ops.logs`)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

Value = str | int | float | bool | None


def event(logger: "logging.Logger", level: int, sentence: str, /, **fields: Value) -> None:
    """Log that something has happened: a constant sentence, and what differs from one time to the next as fields."""
    logger.log(level, "%s", sentence, extra={"fields": fields})
