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

    # Several workers: once for all, before any is forked. Each beyond the first then takes 6 MiB instead of 11. A
    # single one imports for itself, which is 0.6 MiB less in all; a replacement takes 60 ms of CPU time more for it.
    if reading.config.listen.workers > 1:
        _import_worker()
        import resolver.ops.together  # noqa: F401, PLC0415
    logs = Logs(reading.config.log)
    logs.start_direct()
    if reading.config.node.user:
        _import_for(reading.config.node.user)
    try:
        return Supervisor(path, text, reading, logs, _work).run()
    finally:
        logs.close()


def _work(assignment: "Assignment") -> int:
    """In a worker's process: import what it needs, and be one."""
    return _import_worker()(assignment)


def _import_for(user: str) -> None:
    """Import everything where workers could not."""
    from resolver.supervisor import beforehand  # noqa: PLC0415 - for those who change their user

    if beforehand.is_needed(user):
        _import_worker()
        beforehand.import_all()


def _import_worker() -> "Callable[[Assignment], int]":
    from resolver.loops import import_h11, import_loops  # noqa: PLC0415

    import_h11()  # first: what it is done with makes room for the others
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
