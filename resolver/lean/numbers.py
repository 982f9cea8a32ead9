"""`socket` and `signal` with numbers where they have enumerations: 190 members, 0.2 MiB of each process, and without
`enum`, which is 0.2 more where nothing else imports it.

Both modules turn each constant of the system into a member of an enumeration, for its name when it is printed. As
numbers they mean the same to every call. The enumerations' names stay, and give back the number that they are called
with. `name_of_signal` has the names.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


def import_plain() -> None:
    """Import both; no change for one that is imported already."""
    for name in ("socket", "signal"):
        if name not in sys.modules:
            with _no_enumerations():
                import_module(name)


def name_of_signal(number: int) -> str:
    """SIGTERM for 15; the number where it has no name."""
    import signal  # noqa: PLC0415 - a module that `import_plain` imports

    names = (name for name in dir(signal) if name.startswith("SIG") and not name.startswith("SIG_"))
    return next((name for name in names if getattr(signal, name) == number), str(number))


@contextmanager
def _no_enumerations() -> Iterator[None]:
    """A module `enum` with just what both convert their constants with, in the meantime: these stay numbers."""
    before = sys.modules.get("enum")
    without = sys.modules["enum"] = ModuleType("enum")
    vars(without).update(IntEnum=_Numbers, IntFlag=_Numbers)
    try:
        yield
    finally:
        del sys.modules["enum"]
        if before is not None:
            sys.modules["enum"] = before


class _Numbers:
    """Stands for enumerations of numbers."""

    @classmethod
    def _convert_(cls, name: str, module: str, *_filter: object, **_named: object) -> object:
        """Give a module, which has the numbers already, the name of an enumeration of them."""
        setattr(sys.modules[module], name, _number)
        return _number


def _number(value: object) -> object:
    """As an enumeration, which raises ValueError for what is none of its numbers: a handler of signals, for one."""
    if isinstance(value, int):
        return value
    raise ValueError(value)
