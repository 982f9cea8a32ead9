"""What Linux tells about processes, cores and sockets: CPU time, memory, waiting for a core, packets nobody read."""

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


def waited_seconds(session: int) -> float:
    """How long threads of a session were ready to run and others ran, threads of the same session included."""
    threads = [thread for pid in processes_of(session) for thread in _entries(PROC / str(pid) / "task")]
    return sum(int(told[1]) for thread in threads if len(told := _words(thread / "schedstat")) > 1) / 1e9


def memory_mebibytes(session: int) -> float:
    """PSS summed over the processes of a session: shared pages counted once, divided among those who share them."""
    return sum(pss_kibibytes(pid) for pid in processes_of(session)) / 1024


def busy_seconds(core: int) -> float:
    """Seconds in which a core has worked, for anybody: other machines' work on it (steal) included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = _core_ticks(core)
    return (user + nice + system + irq + softirq + steal) * TICK_SECONDS


def stolen_seconds(core: int) -> float:
    """Seconds in which a core had work but the host of this virtual machine used it otherwise."""
    return _core_ticks(core)[7] * TICK_SECONDS


def unread_packets(port: int) -> int:
    """UDP packets that found the queue of a socket on this port full, since it was opened."""
    wanted = f":{port:04X}"
    rows = [line.split() for name in ("udp", "udp6") for line in _lines(PROC / "net" / name)[1:]]
    return sum(int(row[-1]) for row in rows if row[1].endswith(wanted))


def all_unread_packets() -> int:
    """UDP packets that found the queue of any socket full, since this machine started."""
    rows = [line.split() for line in _lines(PROC / "net" / "snmp") if line.startswith("Udp:")]
    four = int(rows[1][rows[0].index("RcvbufErrors")]) if len(rows) > 1 else 0
    six = [int(line.split()[1]) for line in _lines(PROC / "net" / "snmp6") if line.startswith("Udp6RcvbufErrors")]
    return four + sum(six)


def model() -> str:
    """What the processor calls itself."""
    lines = (PROC / "cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), os.uname().machine)


def _core_ticks(core: int) -> list[int]:
    for line in _lines(PROC / "stat"):
        label, *ticks = line.split()
        if label == f"cpu{core}":
            return [int(tick) for tick in ticks[:8]]
    raise LookupError(f"no core {core}")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name (the state is the first), or none when the process is gone."""
    return " ".join(_lines(PROC / str(pid) / "stat")).rpartition(")")[2].split()


def pss_kibibytes(pid: int) -> int:
    """Its proportional set size; 0 when it is gone."""
    return sum(int(line.split()[1]) for line in _lines(PROC / str(pid) / "smaps_rollup") if line.startswith("Pss:"))
