"""The composition root: what the command runs. Imports late, because each way of running needs different parts.

`run_service` and `run_demo` both return an exit status.
"""

import sys
from typing import TYPE_CHECKING

from resolver.config import Config
from resolver.ops.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from resolver.ops.reload import Reading
    from resolver.service import Service
    from resolver.supervisor.assignment import Assignment


def run_service(path: str, text: str, reading: "Reading") -> int:
    """Run the resolver that `path` describes until SIGTERM or SIGINT; the exit status."""
    from resolver.supervisor.supervisor import Supervisor  # noqa: PLC0415

    # Once for all, before any worker is forked: a replacement answers within 30 ms instead of half a second, and each
    # worker beyond the first takes 6 MiB instead of 11. With one the sum is the same to within half a MiB.
    _import_worker()
    logs = Logs(reading.config.log)
    logs.start_direct()
    try:
        return Supervisor(path, text, reading, logs, _work).run()
    finally:
        logs.close()


def _work(assignment: "Assignment") -> int:
    """In a worker's process: import what it needs, and be one."""
    return _import_worker()(assignment)


def _import_worker() -> "Callable[[Assignment], int]":
    from resolver.loops import import_loops  # noqa: PLC0415

    import_loops()
    # What a worker would import itself otherwise, each one anew and perhaps from where its user may not read.
    import encodings.ascii  # noqa: F401, PLC0415

    import resolver.listen.batched  # noqa: F401, PLC0415
    from resolver.worker import run_worker  # noqa: PLC0415

    return run_worker


def run_demo() -> int:
    """Show the resolver in front of an imagined cluster until Ctrl-C; the exit status."""
    import uvloop  # noqa: PLC0415

    from resolver import demo  # noqa: PLC0415 - nothing of it belongs into the memory of a node's resolver
    from resolver.listen.holdings import Holdings  # noqa: PLC0415
    from resolver.service import Service  # noqa: PLC0415

    logs = Logs(Config().log)
    logs.start()

    async def start(config: Config) -> "Service":
        logs.reconfigure(config.log)
        holdings = Holdings()
        holdings.commit(holdings.prepare(config))
        service = Service(config, logs)
        await service.start(holdings.of_worker(0), holdings.admin)
        return service

    try:
        uvloop.run(demo.run(start, sys.stdout))
    finally:
        logs.close()
    return 0
