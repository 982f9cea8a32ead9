"""What an admission costs: `python -m benchmarks.admissions`, the webhook called over TLS as API servers do.

First 2,000 calls at a steady 200 per second, each measured from the moment it was due; then 100,000 as fast as one
process answers, with its memory at the start and at the end; then hostile bodies. CPU is that of the webhook's process.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp

from tests.cases.hostile import reviews
from tests.cases.injection import CASES
from webhook.pki import new_authority, new_leaf

STEADY_CALLS: Final = 2_000
STEADY_PER_SECOND: Final = 200
MANY: Final = 100_000
CONNECTIONS: Final = 4
WARMING: Final = 5_000
P99_GOAL_SECONDS: Final = 0.010
START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Target:
    """A webhook that runs."""

    pid: int
    url: str
    context: ssl.SSLContext

    def cpu_seconds(self) -> float:
        """Of its process so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Its resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@contextlib.contextmanager
def webhook() -> Iterator[Target]:
    """The webhook in mode files, on one core, without a cluster."""
    now = datetime.now(UTC)
    authority = new_authority(now, timedelta(days=1))
    leaf = new_leaf(authority, ["127.0.0.1"], now)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        port, admin = one.getsockname()[1], two.getsockname()[1]
        one.close()
        two.close()
        place = Path(folder)
        (place / "tls.crt").write_text(leaf.certificate)
        (place / "tls.key").write_text(leaf.key)
        (place / "webhook.yaml").write_text(
            json.dumps(
                {
                    "listen": {"address": "127.0.0.1", "port": port, "drain": "0s"},
                    "admin": {"address": "127.0.0.1", "port": admin},
                    "tls": {"mode": "files", "certFile": str(place / "tls.crt"), "keyFile": str(place / "tls.key")},
                    "dns": {"clusterDNS": ["10.96.0.10"]},
                    "log": {"level": "error"},
                }
            )
        )
        unreachable = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        command = [sys.executable, "-m", "webhook", "--config", str(place / "webhook.yaml")]
        with subprocess.Popen(command, env=unreachable) as process:
            try:
                _wait(port)
                cores = os.sched_getaffinity(0)
                os.sched_setaffinity(process.pid, {max(cores)})
                os.sched_setaffinity(0, cores - {max(cores)} or cores)
                context = ssl.create_default_context(cadata=authority.certificate)
                yield Target(process.pid, f"https://127.0.0.1:{port}", context)
            finally:
                process.terminate()


def _wait(port: int) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > give_up:
            raise TimeoutError("the webhook does not listen")
        time.sleep(0.05)


async def steady(target: Target, client: aiohttp.ClientSession, body: bytes) -> tuple[list[float], float]:
    """Seconds from due to answered for each call, in order of size, and the CPU seconds of all."""
    took: list[float] = []

    async def call(due: float) -> None:
        async with client.post(target.url + "/mutate", data=body) as reply:
            await reply.read()
        took.append(time.perf_counter() - due)

    cpu, began, calls = target.cpu_seconds(), time.perf_counter(), set()
    for number in range(STEADY_CALLS):
        due = began + number / STEADY_PER_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        calls.add(asyncio.create_task(call(due)))
    await asyncio.gather(*calls)
    return sorted(took), target.cpu_seconds() - cpu


async def many(target: Target, client: aiohttp.ClientSession, body: bytes, count: int) -> float:
    """CPU seconds of that many calls, a few at a time."""
    cpu = target.cpu_seconds()

    async def one_after_another() -> None:
        for _ in range(count // CONNECTIONS):
            async with client.post(target.url + "/mutate", data=body) as reply:
                await reply.read()

    await asyncio.gather(*(one_after_another() for _ in range(CONNECTIONS)))
    return target.cpu_seconds() - cpu


async def hostile(target: Target, client: aiohttp.ClientSession, count: int) -> dict[int, int]:
    """How many of the hostile bodies got which status."""
    seen: dict[int, int] = {}
    for body, path in reviews(count):
        async with client.post(target.url + path, data=body) as reply:
            await reply.read()
            seen[reply.status] = seen.get(reply.status, 0) + 1
    return seen


async def run(target: Target, count: int) -> bool:
    """Print all figures; whether the goals are met."""
    body = typical_review()
    connector = aiohttp.TCPConnector(ssl=target.context, limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as client:
        await many(target, client, body, 500)
        took, cpu = await steady(target, client, body)
        p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
        print(f"{STEADY_CALLS} calls at {STEADY_PER_SECOND}/s: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, "
              f"CPU {cpu / STEADY_CALLS * 1e6:.0f} us per admission")  # fmt: skip
        await many(target, client, body, WARMING)
        before = target.resident_mib()
        cpu = await many(target, client, body, count)
        after = target.resident_mib()
        print(f"{count} calls on {CONNECTIONS} connections: CPU {cpu / count * 1e6:.0f} us per admission, "
              f"memory {before:.1f} MiB before, {after:.1f} MiB after")  # fmt: skip
        statuses = await hostile(target, client, count)
        print(f"{count} hostile bodies: {', '.join(f'{n} x {status}' for status, n in sorted(statuses.items()))}")
    return p99 <= P99_GOAL_SECONDS and after - before < 2 and set(statuses) <= {200, 400}


def typical_review() -> bytes:
    """A review of the size that a Deployment's pod has: about 6 KiB."""
    pod = CASES[0].pod("web-")
    pod["spec"]["containers"] = [
        {
            "name": f"app-{number}",
            "image": "registry.example/app:1",
            "env": [{"name": f"SETTING_{i}", "value": "x" * 40} for i in range(20)],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        }
        for number in range(3)
    ]
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "operation": "CREATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "shop",
        "object": pod,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def main() -> int:
    """0 where the goals are met: p99, memory, and nothing but 200 and 400 for hostile bodies."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admissions", description=__doc__)
    parser.add_argument("--count", type=int, default=MANY, help="calls of the second and the third part")
    count = parser.parse_args().count
    with webhook() as target:
        return 0 if asyncio.run(run(target, count)) else 1


if __name__ == "__main__":
    sys.exit(main())
