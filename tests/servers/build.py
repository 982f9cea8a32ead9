"""Programs that the tests have built with Go, from folders with a go.mod, kept until the folder's files change.

A folder is one program of a few lines, or names in its go.mod, as tools, the programs of others that are wanted: those
of one folder share what Go has compiled for them. A program lives in the user's cache folder under the hash of
everything it is made from, so a changed pin is another file: nothing is rebuilt by accident, nothing stale is used. Of
several test runs at once one builds, the others wait.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests import needs, network


class CannotBuildError(Exception):
    """A Go program could not be built; the message says what to install or what Go said."""


def cache_folder() -> Path:
    """Where built programs are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nodelocaldns"


def programs(module: Path) -> list[str]:
    """What the module folder has to build: the import paths of its tools, or "." for a program of its own."""
    tools = re.search(r"^tool (?:\(\n(.*?)^\)|(\S+))", (module / "go.mod").read_text(), re.MULTILINE | re.DOTALL)
    return (tools[1] or tools[2]).split() if tools else ["."]


def built_path(module: Path, program: str = ".") -> Path:
    """Where this program of the module folder is, or will be once it is built."""
    digest = hashlib.sha256()
    for source in sorted([*module.glob("go.*"), *module.glob("*.go")]):
        digest.update(f"{source.name}\0{source.stat().st_size}\0".encode() + source.read_bytes())
    return cache_folder() / f"{_name(module, program)}-{digest.hexdigest()[:16]}"


def build(module: Path, program: str = ".") -> Path:
    """Path of a program of one module folder, built if it is not there yet. Raises CannotBuildError."""
    target = built_path(module, program)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return target
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _compile(module, program, target)
    return target


def _name(module: Path, program: str) -> str:
    return module.name if program == "." else program.rpartition("/")[2]


def _link_flags(module: Path) -> str:
    """Without debug tables; Kubernetes is told the version that is pinned, as its own build would do."""
    pinned = re.search(r"^\s*(?:require )?k8s\.io/kubernetes (v\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    version = f" -X k8s.io/component-base/version.gitVersion={pinned[1]}" if pinned else ""
    return f"-s -w{version}"


def _compile(module: Path, program: str, target: Path) -> None:
    if reason := needs.missing("go"):
        raise CannotBuildError(reason)
    name = _name(module, program)
    print(f"building {name} with Go, once for this pin: up to some minutes ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    unfinished = target.with_suffix(f".{os.getpid()}")
    with network.of_the_machine():  # modules come from far away
        go = subprocess.run(
            ["go", "build", "-trimpath", f"-ldflags={_link_flags(module)}", "-o", str(unfinished), program],
            cwd=module,
            env=os.environ | {"CGO_ENABLED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if go.returncode != 0:
        words = "\n".join(go.stdout.splitlines()[-15:])
        raise CannotBuildError(f"go build of {name} failed; {needs.GO_HINT} if Go itself complains:\n{words}")
    unfinished.rename(target)
    print(f"built {name} in {time.monotonic() - started:.0f} s: {target}", file=sys.stderr, flush=True)
