"""What a resolver leaves out of its memory: modules of Python's library that are imported for names nobody uses.

`deferred` is the way, `annotations` is what stands for typing, `loggers` for logging; `resolver.loops` does the same
for asyncio and uvloop. Nothing is taken away: what is asked for is loaded then, but for names of numbers (`numbers`).
Measured: docs/performance.md.
"""

from resolver.lean.annotations import defer_typing
from resolver.lean.deferred import defer


def begin() -> None:
    """To be called before anything imports these modules; no change for those that are imported already."""
    defer_typing()
    from resolver.lean.loggers import defer_logging  # noqa: PLC0415 - which annotates, too

    defer_logging()
    defer("selectors", {})  # for files that a socket sends; nothing here does
    from resolver.lean.numbers import import_plain  # noqa: PLC0415 - selectors first

    import_plain()
