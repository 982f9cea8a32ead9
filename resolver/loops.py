"""Import asyncio and uvloop without OpenSSL, which both bring along although few resolvers speak TLS.

`import ssl` maps libssl and libcrypto and makes some hundred enum members: 4.1 MiB resident, 1.2 of them written to
(read from /proc/PID/smaps_rollup). asyncio runs on systems without ssl; uvloop takes the names below from the module
when it is imported, and uses them only where it is asked for TLS itself, which nothing here does: `upstream/tls.py`
puts TLS between a plain connection and its protocol. Whoever imports ssl later gets the real one.
"""

import sys
from types import ModuleType
from typing import Any, Final, cast

_ERRORS: Final = ("SSLError", "SSLWantReadError", "SSLSyscallError", "SSLZeroReturnError", "CertificateError")
_TYPES: Final = ("SSLContext", "MemoryBIO")
_NUMBERS: Final = ("SSL_ERROR_WANT_READ", "SSL_ERROR_WANT_WRITE", "SSL_ERROR_SYSCALL")


def import_loops() -> None:
    """Import asyncio and uvloop; nothing is held back where asyncio or ssl is imported already (tests, tools)."""
    if sys.modules.keys().isdisjoint({"asyncio", "ssl"}):
        _import_without_ssl()
    else:
        import uvloop  # noqa: F401, PLC0415


def _import_without_ssl() -> None:
    modules = cast("dict[str, ModuleType | None]", sys.modules)  # None: there is no such module
    try:
        modules["ssl"] = None
        import asyncio  # noqa: F401, PLC0415

        modules["ssl"] = _stand_in()
        import uvloop  # noqa: F401, PLC0415
    finally:
        del modules["ssl"]


def _stand_in() -> ModuleType:
    """What uvloop takes from ssl, in name only; for anything else the real module is loaded after all."""
    stand_in = ModuleType("ssl")
    names: dict[str, Any] = {name: type(name, (OSError,), {}) for name in _ERRORS}
    names |= {name: type(name, (), {}) for name in _TYPES}
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
