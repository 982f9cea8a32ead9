"""Small programs in C that the measurements need, built with gcc into the user's cache folder, once per text."""

import hashlib
import subprocess
from pathlib import Path

from tests.servers.build import cache_folder

FOLDER = Path(__file__).parent
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")


def program(name: str) -> Path:
    """Path of the program that NAME.c in this folder makes, built if it is not there yet.

    Raises subprocess.CalledProcessError when gcc fails (its words are on standard error), FileNotFoundError without it.
    """
    source = FOLDER / f"{name}.c"
    digest = hashlib.sha256(repr(FLAGS).encode() + source.read_bytes()).hexdigest()
    target = cache_folder() / f"bench-{name}-{digest[:16]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".unfinished")
        subprocess.run(["gcc", *FLAGS, "-o", str(unfinished), str(source), "-lm"], check=True)
        unfinished.rename(target)
    return target
