"""What Linux tells about processes and cores: CPU time, memory, and who else was working during a measurement."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")

SERVER_CORE = 0
LOAD_CORE = 1


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds of CPU time, by where it was spent."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        return CpuTime(self.user - earlier.user, self.system - earlier.system)

    def __add__(self, other: "CpuTime") -> "CpuTime":
        return CpuTime(self.user + other.user, self.system + other.system)


def processes_of(session: int) -> list[int]:
    """The process IDs of a session: a server that was started as its leader, and what it started itself."""
    running = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in running if (fields := _stat(pid)) and int(fields[3]) == session]


def cpu_time(session: int) -> CpuTime:
    """What all processes of a session have spent, those that ended and were waited for included."""
    user = system = 0
    for pid in processes_of(session):
        if fields := _stat(pid):
            user += int(fields[11]) + int(fields[13])
            system += int(fields[12]) + int(fields[14])
    return CpuTime(user * TICK_SECONDS, system * TICK_SECONDS)


def memory_mebibytes(session: int) -> float:
    """PSS summed over the processes of a session: shared pages counted once, divided among those who share them."""
    return sum(_pss_kibibytes(pid) for pid in processes_of(session)) / 1024


def busy_seconds(core: int) -> float:
    """Seconds in which a core has worked, for anybody: other machines' work on it (steal) included."""
    for line in (PROC / "stat").read_text().splitlines():
        label, *ticks = line.split()
        if label == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) * TICK_SECONDS
    raise LookupError(f"no core {core}")


def model() -> str:
    """What the processor calls itself."""
    lines = (PROC / "cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), os.uname().machine)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name (the state is the first), or none when the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _pss_kibibytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
