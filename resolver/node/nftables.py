"""Transactions on nftables through libnftables, the library behind the `nft` command (Debian: libnftables1).

One call is one transaction: all of it or nothing. The library has had this C interface since 2018 and takes the same
text that `nft` takes and prints, so what is set here reads the same on the node.
"""

import ctypes
from typing import Final

from resolver.node.errors import ErrorType, NodeError

LIBRARY: Final = "libnftables.so.1"
_POINTER_ARGUMENT: Final = (
    "nft_ctx_free",
    "nft_ctx_buffer_error",
    "nft_ctx_buffer_output",
    "nft_ctx_get_error_buffer",
)


def transact(text: str, library: str = LIBRARY) -> None:
    """Carry out the commands; raises NodeError with what the library says."""
    lib = _load(library)
    context = lib.nft_ctx_new(0)
    try:
        lib.nft_ctx_buffer_error(context)
        lib.nft_ctx_buffer_output(context)
        if lib.nft_run_cmd_from_buffer(context, text.encode()):
            said = lib.nft_ctx_get_error_buffer(context).decode(errors="replace")
            raise NodeError(ErrorType.IPTABLES, f"node.notrack: nftables said: {_first_line(said)}")
    finally:
        lib.nft_ctx_free(context)


def _load(library: str) -> ctypes.CDLL:
    try:
        lib = ctypes.CDLL(library)
    except OSError as error:
        raise NodeError(
            ErrorType.IPTABLES, f"node.notrack: needs the library {library} (Debian: libnftables1): {error}"
        ) from None
    lib.nft_ctx_new.argtypes = [ctypes.c_uint32]
    lib.nft_ctx_new.restype = ctypes.c_void_p
    for name in _POINTER_ARGUMENT:
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return lib


def _first_line(said: str) -> str:
    line = next((line.strip() for line in said.splitlines() if line.strip()), "nothing")
    if "Operation not permitted" in line:
        line += " (the resolver needs the capability NET_ADMIN)"
    return line
