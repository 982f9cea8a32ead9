"""Everything that a worker may import later, imported before it changes its user: for one who cannot read the program.

In an image everybody can read it, and a worker imports what it needs when it does. Below /root or a home nobody else
can, and such an import would fail in the middle of an answer. That costs 9 MiB and more than a
tenth of a second, so a supervisor does it once, for all its workers.
"""

import os
import sys
from importlib import import_module
from typing import Final

import resolver
from resolver.lean.deferred import load
from resolver.supervisor.identity import Identity, NoSuchUserError, identity

COMMANDS: Final = ("__main__", "main", "compiling", "console", "demo", "doctor", "migration", "node", "supervisor")
"""Of the resolver, what no worker imports late."""
LIBRARIES: Final = (
    "cachetools", "concurrent.futures.thread", "difflib", "dnslib", "encodings.ascii", "encodings.idna",
    "encodings.latin_1", "http", "ipaddress", "json", "ssl", "threading", "traceback", "urllib.parse",
)  # fmt: skip
"""What its modules import late, and what these do."""


def is_needed(user: str) -> bool:
    """Whether workers run as somebody (`node.user`) who cannot read the program."""
    try:
        who = identity(user)
    except NoSuchUserError:
        return False  # and nobody starts
    return who is not None and not can_read(who)


def can_read(who: Identity) -> bool:
    """Whether this user gets to all places that modules come from, as far as their modes tell."""
    return all(_can_enter(who, place) for place in sys.path if os.path.isdir(place))  # noqa: PTH112 - pathlib: 0.3 MiB


def import_all() -> None:
    """Import what is imported late, and load what has been deferred."""
    from pkgutil import iter_modules, walk_packages  # noqa: PLC0415 - for those who need this

    for library in LIBRARIES:
        import_module(library)
    for part in iter_modules(resolver.__path__):
        if part.name not in COMMANDS:
            module = import_module(f"resolver.{part.name}")
            for found in walk_packages(getattr(module, "__path__", ()), f"resolver.{part.name}."):
                import_module(found.name)
    for module in list(sys.modules.values()):
        load(module)


def _can_enter(who: Identity, place: str) -> bool:
    folder, last = os.path.realpath(place), ""
    while folder != last:
        status = os.stat(folder)  # noqa: PTH116 - as above
        mine = status.st_uid == who.uid
        ours = status.st_gid in (who.gid, *who.groups)
        shift = 6 if mine else 3 if ours else 0
        if who.uid and not status.st_mode >> shift & 1:
            return False
        folder, last = os.path.dirname(folder), folder  # noqa: PTH120 - as above
    return True
