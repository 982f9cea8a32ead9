"""What Prometheus's client libraries tell of every process: memory, CPU time, file descriptors, its start."""

import os
from collections.abc import Iterator
from typing import Final

from resolver.ops.families import counter, gauge

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_NONE = ()


def process_metrics(proc: str = "/proc") -> Iterator[str]:
    """The metrics named process_*; none where there is no /proc, and the limit only where there is one."""
    try:
        stat = _read(f"{proc}/self/stat").rpartition(")")[2].split()  # proc_pid_stat(5), from the third field on
        boot_time = float(_after(_read(f"{proc}/stat"), "btime"))
        open_fds = len(os.listdir(f"{proc}/self/fd"))  # noqa: PTH208 - pathlib takes 0.3 MiB and is needed nowhere else
        max_fds = _after(_read(f"{proc}/self/limits"), "Max open files")
    except (OSError, IndexError):
        return
    user, system, started, virtual, resident = (int(stat[field]) for field in (11, 12, 19, 20, 21))
    gauges = (
        ("virtual_memory_bytes", "Virtual memory.", virtual),
        ("resident_memory_bytes", "Resident memory.", resident * _PAGE_BYTES),
        ("start_time_seconds", "When the process was started (Unix time).", boot_time + started / _TICKS_PER_SECOND),
        ("open_fds", "Open file descriptors.", open_fds),
    )
    for name, text, value in gauges:
        yield gauge("process_" + name, text, "", {_NONE: value})
    if max_fds != "unlimited":
        yield gauge("process_max_fds", "The most that may be open.", "", {_NONE: int(max_fds)})
    yield counter(
        "process_cpu_seconds_total", "CPU time, user and system.", "", {_NONE: (user + system) / _TICKS_PER_SECOND}
    )


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
        return file.read()


def _after(text: str, words: str) -> str:
    """The word that follows some others at the beginning of a line."""
    return text.partition("\n" + words)[2].split(maxsplit=1)[0]
