"""The resolver as its image runs it, the modules that handle packets compiled; built once per state of the sources."""

import functools
import subprocess
from pathlib import Path

from benchmarks.interpreter import chosen

ROOT = Path(__file__).parent.parent


@functools.cache
def folder() -> Path:
    """A folder for PYTHONPATH. Raises CalledProcessError where it cannot be built, after the reason was printed."""
    built = subprocess.run([str(ROOT / ".ci" / "compiled")], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.strip())


def as_in_the_image() -> tuple[str, ...]:
    """The command that runs it so, under the Python that our server is measured with."""
    return ("env", f"PYTHONPATH={folder()}", "PYTHONSAFEPATH=1", str(chosen().path), "-m", "resolver")
