"""The Python that our server is measured with: one compiled as carefully as the peers were, where there is one.

Debian's servers are optimised builds, and so is the Python of the usual container images; a Python compiled without
profile-guided optimisation needs 15 to 25 % more CPU time. If the one that runs the benchmarks is such a one and the
distribution's own is better, a virtual environment of that one is kept in the user's cache folder, once per lock.
"""

import fcntl
import functools
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from tests.servers.build import cache_folder

DISTRIBUTION = Path("/usr/bin/python3")
LOCK = Path(__file__).parent.parent / "requirements" / "run.txt"
COMPLETE = "complete"
"""Stands in an environment that has all its packages."""


class Told(TypedDict):
    """What a Python tells of itself when asked with _ASK."""

    version: list[int]
    arguments: str
    prefix: str
    venv: bool


_ASK = """\
import importlib.util, json, sys, sysconfig
print(json.dumps({
    "version": sys.version_info[:3],
    "arguments": sysconfig.get_config_var("CONFIG_ARGS") or "",
    "prefix": sys.base_prefix,
    "venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python; `path` is what to start."""

    path: Path
    version: str
    optimised: bool
    origin: str = ""
    """Where it comes from, if that says how it was compiled."""

    @property
    def title(self) -> str:
        """For the reports: `Python 3.11.2, optimised build (the distribution's)`."""
        build = "optimised build" if self.optimised else "NOT an optimised build"
        return f"Python {self.version}, {build}" + (f" ({self.origin})" if self.origin else "")


@functools.cache
def chosen() -> Interpreter:
    """What our server is measured with; says on standard error what is missing for a better one."""
    own = described(Path(sys.executable))
    if own.optimised or not DISTRIBUTION.exists():
        return own
    told = _told(DISTRIBUTION)
    if tuple(told["version"])[:2] != sys.version_info[:2] or not read(DISTRIBUTION, told).optimised:  # what is compiled
        return own
    if not told["venv"]:
        print(f"measured with {own.title}; for an optimised one: apt-get install python3-venv", file=sys.stderr)
        return own
    try:
        path = _environment(DISTRIBUTION, read(DISTRIBUTION, told).version)
    except subprocess.CalledProcessError as error:
        words = " ".join((error.stderr or error.stdout or "").split()[-30:])
        print(f"measured with {own.title}; no environment of {DISTRIBUTION}: {words}", file=sys.stderr)
        return own
    return read(path, told)


def described(path: Path) -> Interpreter:
    """What a Python says of itself."""
    return read(path, _told(path))


def _told(path: Path) -> Told:
    asked = subprocess.run([str(path), "-c", _ASK], capture_output=True, text=True, check=True)
    return json.loads(asked.stdout)  # type: ignore[no-any-return]


def read(path: Path, told: Told) -> Interpreter:
    """What to make of it. Debian and its kin optimise as well, by other means: their CONFIG_ARGS do not say so."""
    from_distribution = told["prefix"] == "/usr"
    optimised = from_distribution or "--enable-optimizations" in told["arguments"]
    version = ".".join(map(str, told["version"]))
    return Interpreter(path, version, optimised, "the distribution's" if from_distribution else "")


def _environment(python: Path, version: str) -> Path:
    """Its Python, with the packages that the lock names; made if it is not there yet."""
    digest = hashlib.sha256(f"{python} {version} ".encode() + LOCK.read_bytes()).hexdigest()
    folder = cache_folder() / f"bench-python-{digest[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / COMPLETE).exists():
            _make(folder, python)
    return folder / "bin" / "python"


def _make(folder: Path, python: Path) -> None:
    print(f"making an environment of {python} for the resolver, once for this lock ...", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    _run(str(python), "-m", "venv", str(folder))
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--no-input", "--require-hashes", "-r", str(LOCK))
    (folder / COMPLETE).touch()


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)
