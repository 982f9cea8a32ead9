"""What one resolver process costs before it has done anything: start to first answer, and memory with 10,000 names.

Runs the real command on loopback in front of the demo's kind of stand-in: a TCP server that answers every A question.
Prints a table and writes build/reports/footprint.json. Needs nothing but the resolver's own Python packages.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnslib import RR, DNSRecord

NAMES = 10_000
IN_FLIGHT = 200
RUNS = 5
REPORT = Path("build/reports/footprint.json")


def main() -> None:
    """Measure and print."""
    figures = asyncio.run(measure())
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"first answer after process start   {figures['firstAnswerSeconds']:.2f} s (median of {RUNS})")
    print(f"memory, nothing remembered         {figures['idleRssMiB']:.1f} MiB resident")
    print(f"memory, {NAMES:,} names              {figures['fullRssMiB']:.1f} MiB resident,", end=" ")
    print(f"{figures['fullPssMiB']:.1f} MiB proportional (PSS)")


async def measure() -> dict[str, float]:
    """Seconds from process start to the first answer (median), MiB of memory before and after 10,000 names."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    upstream_port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        starts = [await _started(Path(folder), upstream_port) for _ in range(RUNS)]
        starts.sort()
        idle, full, pss = await _memory(Path(folder), upstream_port)
    server.close()
    await asyncio.sleep(0.1)  # lets the handlers of closed connections end
    return {
        "firstAnswerSeconds": starts[RUNS // 2],
        "idleRssMiB": idle,
        "fullRssMiB": full,
        "fullPssMiB": pss,
    }


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            query = DNSRecord.parse(await reader.readexactly(length))
            reply = query.reply()
            reply.add_answer(*RR.fromZone(f"{query.q.qname} 300 A 192.0.2.1"))
            packet = reply.pack()
            writer.write(len(packet).to_bytes(2, "big") + packet)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _start(folder: Path, upstream_port: int) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "resolver.yaml"
    file.write_text(
        f"listen: {{addresses: [127.0.0.1], port: {port}}}\n"
        f"zones: [{{names: ['.'], upstreams: ['127.0.0.1:{upstream_port}']}}]\n"
        f"admin: {{address: 127.0.0.2, port: {port}}}\nlog: {{level: error}}\n"
    )
    return subprocess.Popen([sys.executable, "-m", "resolver", "--config", str(file)]), port


async def _ask(port: int, name: str, seconds: float) -> None:
    query = DNSRecord.question(name).pack()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        sock.send(query)
        async with asyncio.timeout(seconds):
            await loop.sock_recv(sock, 4096)


async def _first_answer(port: int) -> None:
    while True:
        try:
            await _ask(port, "first.example", 1)
        except (OSError, TimeoutError):
            await asyncio.sleep(0.002)
        else:
            return


async def _started(folder: Path, upstream_port: int) -> float:
    began = time.perf_counter()
    process, port = _start(folder, upstream_port)
    try:
        await _first_answer(port)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


async def _memory(folder: Path, upstream_port: int) -> tuple[float, float, float]:
    process, port = _start(folder, upstream_port)
    try:
        await _first_answer(port)
        idle = _mebibytes(process.pid, "Rss")
        for start in range(0, NAMES, IN_FLIGHT):
            await asyncio.gather(*(_ask(port, f"name-{n}.example", 5) for n in range(start, start + IN_FLIGHT)))
        return idle, _mebibytes(process.pid, "Rss"), _mebibytes(process.pid, "Pss")
    finally:
        process.terminate()
        process.wait()


def _mebibytes(pid: int, figure: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{figure}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(figure)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
