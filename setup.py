"""Compiles the modules that handle packets, where NODELOCALDNS_COMPILE=1 asks for it; the rest is in pyproject.toml.

mypyc makes C of the annotated Python that mypy checks anyway. The source stays what runs everywhere; compiled, a miss
costs less than half (docs/performance.md). Left out are what ctypes and asyncio's classes are the base of, and
everything that does not run for each packet.
"""

import os
from pathlib import Path

from setuptools import setup

COMPILED = [
    "resolver/admission.py",
    "resolver/cache/*.py",
    "resolver/engine.py",
    "resolver/histogram.py",
    "resolver/listen/backlog.py",
    "resolver/listen/batched.py",
    "resolver/listen/guard.py",
    "resolver/listen/overload.py",
    "resolver/listen/sampled.py",
    "resolver/listen/shares.py",
    "resolver/listen/udp.py",
    "resolver/message/[!t]*.py",  # all but text.py, which is for people
    "resolver/outcome.py",
    "resolver/rejections.py",
    "resolver/tally.py",
    "resolver/upstream/attempt.py",
    "resolver/upstream/budget.py",
    "resolver/upstream/connection.py",
    "resolver/upstream/deferral.py",
    "resolver/upstream/exchange.py",
    "resolver/upstream/haste.py",
    "resolver/upstream/health.py",
    "resolver/upstream/ids.py",
    "resolver/upstream/inflight.py",
    "resolver/upstream/lookup.py",
    "resolver/upstream/routes.py",
    "resolver/upstream/server.py",
    "resolver/upstream/tcp.py",
    "resolver/upstream/timers.py",
]

# All is in one file, and nothing of it is for other libraries: calls within it go directly.
ALONE = ["-fvisibility=hidden"]

if os.environ.get("NODELOCALDNS_COMPILE") == "1":
    try:
        from mypyc.build import mypycify
    except ImportError:  # the build tool asks first what is required, without having it yet
        setup(setup_requires=["mypy>=2.4", "types-cachetools", "types-PyYAML"])
    else:
        modules = sorted(str(path) for pattern in COMPILED for path in Path().glob(pattern))
        extensions = mypycify(modules, opt_level="2", debug_level="0")
        for extension in extensions:
            extension.extra_compile_args += ALONE
        setup(ext_modules=extensions)
else:
    setup()
