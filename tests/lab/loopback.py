"""The resolver as real processes on loopback, without namespaces: for what happens between its processes.

An upstream of a few lines answers every A question over UDP; clients ask one question after another and count.
"""

import contextlib
import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from tests.lab.ask import question
from tests.lab.waiting import wait_until
from tests.network import free_port

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0
LOST_SECONDS = 5.0
"""A question without an answer for so long is lost."""


class Upstream:
    """A server that answers every question with one address."""

    def __init__(self, ttl: int = 300) -> None:
        self.port = 0
        self.asked = 0
        self._record = b"\xc0\x0c\0\1\0\1" + ttl.to_bytes(4, "big") + b"\0\4\x0a\1\2\3"

    def after_id(self, question: bytes) -> bytes:
        """What an answer to this question says behind its ID."""
        return b"\x81\x80\0\1\0\1\0\0\0\0" + question + self._record

    @contextlib.contextmanager
    def serving(self) -> Iterator[Self]:
        """Answer on a port of loopback, for as long as the block lasts."""
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
            thread = threading.Thread(target=self._serve, args=(sock,))
            thread.start()
            try:
                yield self
            finally:
                with socket.socket(type=socket.SOCK_DGRAM) as ending:
                    ending.sendto(b"", ("127.0.0.1", self.port))
                thread.join()

    def _serve(self, sock: socket.socket) -> None:
        while True:
            query, client = sock.recvfrom(4096)
            if not query:
                return
            self.asked += 1
            sock.sendto(query[:2] + self.after_id(query[12 : query.index(b"\0", 12) + 5]), client)


def upstream(ttl: int = 300) -> contextlib.AbstractContextManager[Upstream]:
    """Such a server, serving."""
    return Upstream(ttl).serving()


class Running:
    """One resolver: its supervisor, and the workers below it."""

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        name: str = "resolver",
        script: str = "",
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.file = folder / f"{name}.yaml"
        self.log = folder / f"{name}.log"
        self.config = config
        self.configure(config)
        what = ("-c", script) if script else ("-m", "resolver")
        self._command = [*prefix, sys.executable, *what, "--config", str(self.file)]
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, config: dict[str, Any]) -> None:
        """Put a new configuration in place."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(config))
        fresh.replace(self.file)
        self.config = config

    def start(self, *, until: str = "started") -> None:
        """Start it; returns when its log has this event."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self._command, cwd=REPOSITORY, stderr=output, start_new_session=True)
        wait_until(lambda: self.ended() or self.events(until), f"{until} in {self.log}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def events(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of this event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def workers(self) -> list[int]:
        """The processes below the supervisor."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Have it end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End everything at once. Idempotent."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def admin(
        self, path: str, method: str = "GET", *, at: str = "127.0.0.1", fields: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and body of an admin page; `fields`: of the request's header."""
        url = f"http://{at}:{self.config['admin']['port']}{path}"
        request = urllib.request.Request(url, method=method, headers=dict(fields or {}))
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = self.admin("/metrics")[1].splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{")))


@contextlib.contextmanager
def running(
    folder: Path, config: dict[str, Any], name: str = "resolver", script: str = "", *, until: str = "started"
) -> Iterator[Running]:
    """A resolver that has started (or whatever event its log is to have), and is gone at the end."""
    resolver = Running(folder, config, name, script)
    try:
        resolver.start(until=until)
        yield resolver
    finally:
        resolver.kill()


PATIENT = {"attemptTimeout": "5s", "timeout": "8s"}
"""The upstream shares a busy process with the clients: it is asked once, and its answer awaited."""


def configuration(server: Upstream, *, workers: int = 1, **topics: Any) -> dict[str, Any]:
    """resolver.yaml for a resolver on loopback."""
    return {
        "listen": {"addresses": ["127.0.0.1"], "port": free_port(), "workers": workers},
        "zones": [
            {"names": ["."], "upstreams": [f"127.0.0.1:{server.port}"], "transport": "udp", "maxTTL": 300, **PATIENT}
        ],
        "admin": {"port": free_port()},
        **topics,
    }


@dataclass(slots=True)
class Counted:
    """What clients got."""

    answered: int = 0
    lost: int = 0
    slowest_seconds: float = 0.0
    wrong: list[bytes] = field(default_factory=list)
    by_client: list[int] = field(default_factory=list)
    """Answers."""


@contextlib.contextmanager
def load(port: int, *, clients: int = 4, names: int = 50, address: str = "127.0.0.1") -> Iterator[Counted]:
    """Clients that ask for the names in turns, each one question after another, for as long as the block lasts."""
    seen, end = Counted(by_client=[0] * clients), threading.Event()

    def ask(number: int) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect((address, port))
            turn = number * 7
            while not end.is_set():
                turn += 1
                query = question(f"n{turn % names}.example")
                sent_at = time.monotonic()
                sock.settimeout(LOST_SECONDS)
                try:
                    sock.send(query)
                    while (reply := sock.recv(4096))[:2] != query[:2]:
                        pass
                except OSError:
                    seen.lost += 1
                    continue
                seen.slowest_seconds = max(seen.slowest_seconds, time.monotonic() - sent_at)
                if reply[3] & 15:
                    seen.wrong.append(reply)
                seen.answered += 1
                seen.by_client[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: seen.answered > names, "the first answers")
        yield seen
        enough = seen.answered + 4 * clients
        wait_until(lambda: seen.answered > enough or seen.lost > clients, "answers after the last event")
    finally:
        end.set()
        for thread in threads:
            thread.join()


@dataclass(slots=True)
class Probed:
    """What the admin endpoints said: how often 200, and what else."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)


@contextlib.contextmanager
def probes(port: int) -> Iterator[Probed]:
    """/ready and /metrics asked in turns for as long as the block lasts, each on a connection of its own."""
    seen, end = Probed(), threading.Event()

    def ask() -> None:
        while not end.is_set():
            for path in ("/ready", "/metrics"):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS) as response:
                        response.read()
                        seen.right += 1
                except (OSError, http.client.HTTPException) as error:
                    seen.wrong.append(f"{path}: {error!r}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


def nobody_listens(port: int, address: str = "127.0.0.1") -> bool:
    """Whether the kernel refuses a packet to `port` of this machine (ICMP port unreachable)."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        client.send(b"?")
        return bool(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED)


def ask_once(port: int, name: str) -> bytes:
    """The reply to one question; TimeoutError."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect(("127.0.0.1", port))
        sock.send(question(name))
        return sock.recv(4096)
