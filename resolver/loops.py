"""Import asyncio, uvloop and h11 without what they bring along and this program does not use: 3 MiB of each worker.

asyncio imports all of its parts, an event loop of its own, subprocesses, `inspect` with the compiler's syntax tree, and
OpenSSL (4.1 MiB resident, 1.2 of them written to); uvloop takes a few names from each. All of that is deferred
(`resolver.lean.deferred`): it is there as soon as somebody uses it, as a loop that debugs does. Whoever imports ssl or
one of the others later gets the real one. uvloop has kept stand-ins for their classes, which it uses only where it is
asked for TLS or programs itself, and nothing here does: `upstream/tls.py` puts TLS between a plain connection and its
protocol.
"""

import sys
from _thread import _local, allocate_lock, get_ident
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from resolver.lean.deferred import defer, take_back, unload

_PARTS: Final = (
    "coroutines", "events", "exceptions", "futures", "locks", "protocols", "runners", "streams", "tasks", "threads",
    "timeouts", "transports",
)  # fmt: skip
"""Of asyncio, what is used here or by uvloop. A name from any other part loads them all."""
_OTHER_PARTS: Final = ("asyncio.base_events", "asyncio.sslproto")  # uvloop imports them and takes nothing
_REGULAR_EXPRESSIONS: Final = ("re", "re._compiler", "re._parser", "re._constants", "re._casefix")
_ERRORS: Final = ("SSLError", "SSLWantReadError", "SSLSyscallError", "SSLZeroReturnError", "CertificateError")
_TYPES: Final = ("SSLContext", "MemoryBIO")
_NUMBERS: Final = ("SSL_ERROR_WANT_READ", "SSL_ERROR_WANT_WRITE", "SSL_ERROR_SYSCALL")
_WAITS: Final = ("FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED")


def import_loops() -> None:
    """Import asyncio and uvloop; nothing is held back where asyncio or ssl is imported already (tests, tools)."""
    if sys.modules.keys().isdisjoint({"asyncio", "ssl"}):
        _import_lean()
    else:
        import uvloop  # noqa: F401, PLC0415


def import_h11() -> None:
    """Import h11 without dataclasses and without what compiles its regular expressions, once that is done.

    Its events need of dataclasses only to be printed and compared, and neither is done here. To be called before
    anything else imports these modules; no change for those that are imported already.
    """
    compiles = "re" not in sys.modules
    defer("dataclasses", {"dataclass": lambda **_what: lambda event: event})
    import h11  # noqa: F401, PLC0415

    take_back("dataclasses")
    if compiles:
        for name in _REGULAR_EXPRESSIONS:
            unload(name)


def _import_lean() -> None:
    defer("inspect", {}, forwarded=("isgenerator", "iscoroutinefunction"))
    defer("traceback", {"StackSummary": None}, forwarded=("extract_stack", "walk_stack", "format_list"))
    defer("linecache", {})
    threads = {"local": _local, "Lock": allocate_lock, **_the_main_thread()}
    defer("threading", threads, forwarded=("Thread",))
    failed = _class("SubprocessError", Exception)
    defer("subprocess", {"PIPE": -1, "STDOUT": -2, "DEVNULL": -3, "SubprocessError": failed})
    futures = {"Future": _class("Future", object), **{name: name for name in _WAITS}}
    defer("concurrent.futures", futures, forwarded=("ThreadPoolExecutor",))
    defer("asyncio", {"AbstractChildWatcher": _class("AbstractChildWatcher", object)})
    _import_asyncio()
    try:
        sys.modules["ssl"] = _stand_in()
        import uvloop  # noqa: F401, PLC0415
    finally:
        del sys.modules["ssl"]
        for name in ("inspect", "traceback", "subprocess", "concurrent.futures", "asyncio"):
            take_back(name)


def _import_asyncio() -> None:
    """The parts that are used, with their names where asyncio itself has them."""
    package = sys.modules["asyncio"]
    for name in _PARTS:
        part = import_module(f"asyncio.{name}")
        vars(package).update({each: getattr(part, each) for each in part.__all__})
    for name in _OTHER_PARTS:
        defer(name, {})


def _the_main_thread() -> dict[str, object]:
    """What asks in which thread it runs: whoever imports this, and runs a loop, does that in the main one."""
    main = SimpleNamespace(name="MainThread", ident=get_ident())
    return {"current_thread": lambda: main, "main_thread": lambda: main}


def _class(name: str, base: type) -> type:
    return type(name, (base,), {})


def _stand_in() -> ModuleType:
    """What uvloop takes from ssl, in name only; for anything else the real module is loaded after all."""
    stand_in = ModuleType("ssl")
    names: dict[str, Any] = {name: _class(name, OSError) for name in _ERRORS}
    names |= {name: _class(name, object) for name in _TYPES}
    names |= dict.fromkeys(_NUMBERS, 0)
    names["create_default_context"] = None
    names["__getattr__"] = _from_the_real_one
    vars(stand_in).update(names)
    return stand_in


def _from_the_real_one(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    stand_in = sys.modules.pop("ssl")
    try:
        import ssl  # noqa: PLC0415
    finally:
        sys.modules["ssl"] = stand_in
    value: object = getattr(ssl, name)
    return value
