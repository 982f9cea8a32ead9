"""The composition root: what the command runs, each way with the parts that it needs."""

import asyncio
import gc
import signal
import sys

import uvloop
import yaml

from resolver.ops.logs import Logs
from webhook.audit import audit, table
from webhook.cluster import Cluster, ClusterError
from webhook.guard import guard
from webhook.policy import policy
from webhook.registration import registration
from webhook.service import Service
from webhook.trial import PATIENCE_SECONDS, trial
from webhook.values import Config


def run_service(config: Config) -> int:
    """Run the webhook until SIGTERM or SIGINT; the exit status."""
    logs = Logs(config.log)
    logs.start()
    try:
        return uvloop.run(_serve(config))
    except (ClusterError, OSError) as error:
        print(f"nodelocaldns-webhook: {error}", file=sys.stderr)
        return 1
    finally:
        logs.close()


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = await Service.connect(config)
    try:
        await service.start()
        # Hundreds of thousands of objects of imported modules that no collection would ever free: going through them
        # takes longer than a hundred admissions (python -m benchmarks.admissions, p99).
        gc.collect()
        gc.freeze()
        waiting = [loop.create_task(event.wait(), name="end") for event in (stop, service.failed)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if not service.failed.is_set():
            await service.drain()
    finally:
        await service.stop()
    return 1 if service.failed.is_set() else 0


def run_audit(config: Config, namespace: str) -> int:
    """Print pods that ask for injection and lack it: 0 if there are none, 1 if there are, 2 if nobody can say."""

    async def look() -> int:
        cluster = await Cluster.connect()
        try:
            found = await audit(cluster, config, namespace)
        finally:
            await cluster.close()
        sys.stdout.write(table(found) if found else "every running pod that asks for injection has it\n")
        return 1 if found else 0

    try:
        return asyncio.run(look())
    except ClusterError as error:
        print(f"nodelocaldns-webhook: {error}", file=sys.stderr)
        return 2


def run_trial(config: Config, namespace: str) -> int:
    """Look names up and, in a namespace, create a pod as a dry run: 0 if all is well, 1 if something is not, 2 without
    an API server.
    """

    async def attempt() -> int:
        cluster = await Cluster.connect() if namespace else None
        try:
            well, lines = await trial(config, cluster, namespace, PATIENCE_SECONDS)
        finally:
            if cluster is not None:
                await cluster.close()
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        return 0 if well else 1

    try:
        return asyncio.run(attempt())
    except ClusterError as error:
        print(f"nodelocaldns-webhook: {error}", file=sys.stderr)
        return 2


def run_print(config: Config, what: str) -> int:
    """Print manifests for kubectl; the exit status."""
    try:
        documents = {
            "registration": lambda: [registration(config.cluster)],
            "policy": lambda: policy(config.dns, config.cluster),
            "guard": lambda: guard(config.dns, config.cluster),
        }[what]()
    except ValueError as error:
        print(f"nodelocaldns-webhook: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(yaml.safe_dump_all(documents, sort_keys=False, width=120))
    return 0
