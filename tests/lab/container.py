"""A container of a pod, run by crun as the pod's document says: user, rights, read-only root, folders, environment.

The image is this repository and the Python that runs the tests, with both programs in PATH. What a kubelet has a
runtime do besides, and this does not: limits of CPU and memory, and the seccomp profile.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.apiserver import OnThisMachine
from tests.lab.netns import NAMED_NAMESPACES, Namespace
from tests.lab.process import Process

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = {"nodelocaldns-resolver": "resolver", "nodelocaldns-webhook": "webhook"}
SEARCH_PATH = "/app/bin:/usr/bin:/bin"
# What a runtime gives to a container that asks for nothing.
USUAL_RIGHTS = [
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"),
    *("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
]
ALL_RIGHTS = [*USUAL_RIGHTS, "NET_ADMIN", "SYS_ADMIN"]
# crun refuses to look at cgroups where both versions are mounted; it needs none here.
_WITHOUT_CGROUPS = "umount -q /sys/fs/cgroup/unified 2>/dev/null; exec "


@dataclass
class Container:
    """One container, not yet started. `mounts` maps paths inside to folders or files of this machine."""

    pod: dict[str, Any]
    spec: dict[str, Any]
    namespace: Namespace
    folder: Path
    environment: dict[str, str]
    mounts: dict[str, tuple[Path, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        here: Any = OnThisMachine()
        self._name = self.pod["metadata"]["uid"][:13] + "-" + self.spec["name"]
        command = self._crun("run", "--bundle", str(self.folder), "--pid-file", f"{self.folder}/pid", self._name)
        self.process = Process(here, command, self.folder / "log")
        self.status: int | None = None

    def start(self) -> None:
        """Start it; returns when it was started, long before it answers anything."""
        self._write_root()
        (self.folder / "config.json").write_text(json.dumps(self._config()))
        self.process.start(lambda: bool(self._pid()), may_end=True)

    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        if self.status is None and not self.process.running:
            self.status = self.process.wait()
        return self.status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        if pid := self._pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL to everything in it."""
        self.signal(signal.SIGKILL)
        self.process.kill()

    def output(self) -> str:
        """What it wrote."""
        return self.process.output()

    def execute(self, command: list[str]) -> int:
        """Run a command in it, as an exec probe does; its exit status."""
        done = subprocess.run(self._crun("exec", self._name, *command), capture_output=True, check=False)
        return done.returncode

    def _crun(self, *words: str) -> list[str]:
        crun = ["crun", "--root", f"{self.folder}/state", "--cgroup-manager=disabled", *words]
        return ["unshare", "--mount", "sh", "-c", f"{_WITHOUT_CGROUPS}{shlex.join(crun)}"]

    def _pid(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "pid").read_text())
        return 0

    def _write_root(self) -> None:
        root = self.folder / "rootfs"
        (root / "app" / "bin").mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        for program, package in PROGRAMS.items():
            script = root / "app" / "bin" / program
            main = f"import sys; sys.path.insert(0, '/app'); from {package}.__main__ import main; sys.exit(main())"
            script.write_text(f"#!{_python()}\n{main}\n")
            script.chmod(0o755)
        (root / "app" / "bin" / "python3").symlink_to(_python())
        root.chmod(0o755)
        self.folder.chmod(0o755)

    def _config(self) -> dict[str, Any]:
        security = {**self.pod["spec"].get("securityContext", {}), **self.spec.get("securityContext", {})}
        rights = _rights(security.get("capabilities", {}))
        user, group = security.get("runAsUser", 0), security.get("runAsGroup", 0)
        assert user or not security.get("runAsNonRoot"), "the kubelet refuses to run this pod as root"
        process = {
            "args": self._command(),
            "cwd": "/",
            "env": [f"{name}={value}" for name, value in {"PATH": SEARCH_PATH, **self.environment}.items()],
            "user": {"uid": user, "gid": group, "additionalGids": [g for g in (security.get("fsGroup"),) if g]},
            "noNewPrivileges": not security.get("allowPrivilegeEscalation", True),
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), rights),
        }
        kinds = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        network = {"type": "network", "path": str(NAMED_NAMESPACES / self.namespace.name)}
        return {
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": "rootfs", "readonly": security.get("readOnlyRootFilesystem", False)},
            "mounts": [*_SYSTEM, *self._binds()],
            "linux": {"namespaces": [*kinds, network]},
        }

    def _command(self) -> list[str]:
        words = [*self.spec["command"], *self.spec.get("args", [])]
        known = re.compile(r"\$\((\w+)\)")
        words = [known.sub(lambda match: self.environment.get(match[1], match[0]), word) for word in words]
        return [words[0].replace("/usr/local/bin/", "/app/bin/"), *words[1:]]

    def _binds(self) -> list[dict[str, Any]]:
        base, prefix = Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()
        image = {str(path): (path, True) for path in (Path("/usr"), base, prefix) if path != Path("/usr")}
        image = {"/usr": (Path("/usr"), True), **image, "/etc/ld.so.cache": (Path("/etc/ld.so.cache"), True)}
        image |= {f"/app/{package}": (REPOSITORY / package, True) for package in PROGRAMS.values()}
        return [
            {
                "destination": inside,
                "type": "bind",
                "source": str(outside),
                "options": ["rbind", "ro" if read_only else "rw"],
            }
            for inside, (outside, read_only) in {**image, **self.mounts}.items()
        ]


_SYSTEM: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
]


def _python() -> Path:
    return Path(sys.prefix).resolve() / "bin" / "python"


def _rights(asked: dict[str, list[str]]) -> list[str]:
    dropped, added = asked.get("drop", []), asked.get("add", [])
    kept = [] if "ALL" in dropped else [right for right in USUAL_RIGHTS if right not in dropped]
    return [f"CAP_{right}" for right in dict.fromkeys([*kept, *(ALL_RIGHTS if "ALL" in added else added)])]
