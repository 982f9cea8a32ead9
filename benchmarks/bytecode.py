"""Bytecode without docstrings, as the image has it, in a folder of the user's cache: it saves a MiB of memory.

Python looks for it there when `-X pycache_prefix` says so; nothing is written into the system's own folders.
"""

import functools
import subprocess
from pathlib import Path

from tests.servers.build import cache_folder

_COMPILE = """\
import compileall, re, sys, sysconfig
skipped = re.compile("/(test|tests|idlelib|lib2to3|ensurepip|pip|setuptools)/")
for place in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sys.argv[1]):
    compileall.compile_dir(place, quiet=2, rx=skipped)
print(sysconfig.get_path("purelib"))
"""


@functools.cache
def prepared(python: Path, package: Path) -> tuple[tuple[str, ...], Path]:
    """Options for a Python that runs what is in the folder `package`, and where its packages are.

    Compiles what is missing; raises CalledProcessError.
    """
    options = ("-OO", "-X", f"pycache_prefix={cache_folder() / 'bench-bytecode'}")
    command = [str(python), *options, "-c", _COMPILE, str(package)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return options, Path(told.strip())
