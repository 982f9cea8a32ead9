"""Read resolver.yaml without keeping what reading it takes: a short-lived child knows YAML, the parent never does.

The child gives up its rights, checks the text and sends the Config as plain values, which make the same one here, and
in every worker that is told of a change.
"""

import os
from contextlib import suppress
from typing import Any

from resolver.config import ConfigError, Problem
from resolver.config.plain import from_plain, to_plain
from resolver.lean import jsontext
from resolver.ops.reload import Reading


def read_apart(text: str, source: str) -> Reading:
    """The configuration that `text` describes; raises ConfigError as `resolver.config.load` does, or OSError."""
    found = jsontext.loads(_in_child(text) or "null")
    if found is None:
        raise OSError(f"{source}: the process that reads it has died")
    if found["problems"]:
        raise ConfigError(source, tuple(Problem(path, message) for path, message in found["problems"]))
    return Reading(from_plain(found["plain"]), found["plain"])


def _in_child(text: str) -> bytes:
    mine, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            os.close(mine)
            from resolver.supervisor.privileges import renounce  # noqa: PLC0415 - with ctypes

            renounce()
            _write_all(its, jsontext.dumps(_read(text)).encode())
        os._exit(0)
    os.close(its)
    parts = []
    while part := os.read(mine, 65536):
        parts.append(part)
    os.close(mine)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return b"".join(parts)


def _read(text: str) -> dict[str, Any]:
    from resolver.config.reading import load  # noqa: PLC0415 - this is what the child is for

    try:
        config = load(text, "", os.environ)
    except ConfigError as error:
        return {"problems": [[problem.path, problem.message] for problem in error.problems]}
    return {"problems": (), "plain": to_plain(config)}


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
