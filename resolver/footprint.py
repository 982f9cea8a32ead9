"""What a worker asks of its interpreter and of the C library so that it stays small, and what it gives back.

Everything per query is freed by its reference count. Tables that grow are freed in large pieces, for which the C
library asks the kernel, and gives them back, one by one (MMAP_BYTES; it would learn from the first one freed to keep
them). Of the code that is mapped, much has only run to import modules: it is unmapped and, where it runs again, mapped
again from the page cache (madvise(2), MADV_DONTNEED; code is never written to). Together 0.1 to 0.2 MiB of a worker.
"""

import ctypes
import gc
from collections.abc import Iterable, Iterator
from typing import Final

MMAP_BYTES: Final = 64 * 1024
"""From this size on, memory comes from the kernel and goes back to it (mallopt(3), M_MMAP_THRESHOLD)."""
_M_MMAP_THRESHOLD: Final = -3  # <malloc.h>
_MADV_DONTNEED: Final = 4  # <asm-generic/mman-common.h>


def tune() -> None:
    """Fewer, cheaper garbage collections, as suits a server; large pieces from the kernel. To be called when everything
    is imported: a full pass over a large cache would stop the loop for tens of milliseconds, for rare cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc
        libc.mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)


def settle() -> None:
    """Give back what only starting has needed."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(ctypes.c_size_t(0))
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123 - pathlib: 0.3 MiB
            found = list(code(maps))
    except OSError:
        return
    for start, size in found:
        libc.madvise(start, size, _MADV_DONTNEED)


def code(maps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Addresses and sizes of the code of files, by the lines of /proc/self/maps (proc_pid_maps(5))."""
    for line in maps:
        place, rights, _offset, _device, _inode, *name = line.split(maxsplit=5)
        if rights == "r-xp" and name and name[0].startswith("/"):
            start, _, end = place.partition("-")
            yield int(start, 16), int(end, 16) - int(start, 16)
