"""A measured server while it runs: started on its core, timed until its first answer, ended for certain."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ask import Asker
from benchmarks.machine import LOAD_CORE, SERVER_CORE
from benchmarks.names import CLUSTER, Asked
from benchmarks.native import program
from benchmarks.peers import Peer, Site

START_SECONDS = 20.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.001
FIRST = Asked(f"first.default.svc.{CLUSTER}")


class CannotServeError(Exception):
    """A server did not start, or ended; the message holds the last it said."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: its port, the session of its processes and how long its start took."""

    port: int
    session: int
    first_answer_seconds: float


def free_ports(count: int) -> list[int]:
    """Ports free for UDP and TCP on every address of loopback at this moment."""
    held: list[socket.socket] = []
    ports: list[int] = []
    while len(ports) < count:
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        held += [stream, packets]
        stream.bind(("", 0))
        try:
            packets.bind(("", stream.getsockname()[1]))
        except OSError:
            continue
        ports.append(stream.getsockname()[1])
    for sock in held:
        sock.close()
    return ports


def pinned(core: int, command: list[str]) -> list[str]:
    """The command, on one core only."""
    return ["taskset", "-c", str(core), *command]


@contextmanager
def background(core: int, command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs in a session of its own while the block runs, without what is meant for our own Python."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PATH"] = environment.get("PATH", "") + ":/usr/sbin:/sbin"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(core, command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def awake(folder: Path, *, wanted: bool) -> Iterator[list[int]]:
    """Keep both cores from sleeping while the block runs, if that is wanted; the sessions that do it."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(background(core, [str(program("awake"))], folder / f"awake-{core}.output"))
            for core in (SERVER_CORE, LOAD_CORE)
            if wanted
        ]
        yield [process.pid for process in started]


@contextmanager
def served(peer: Peer, site: Site, *, first: bool = False) -> Iterator[Running]:
    """A peer on the server's core, from its first answer on; `first`: before all other programs there.

    Raises CannotServeError.
    """
    log = site.folder / "output"
    command = [*([str(program("first"))] if first else []), *peer.command(site)]
    began = time.perf_counter()
    with background(SERVER_CORE, command, log) as process:
        _await_first_answer(peer, site.port, process, log)
        yield Running(site.port, process.pid, time.perf_counter() - began)


def _await_first_answer(peer: Peer, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        asker = Asker(port, seconds=0.25)
        try:
            _query, reply = asker.reply(FIRST)
            if not peer.answers or (reply[3] & 0xF == 0 and reply[7]):
                return
        except OSError:
            time.sleep(POLL_SECONDS)
        finally:
            asker.close()
    words = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise CannotServeError(f"{peer.title} gave no answer within {START_SECONDS:.0f} s of its start:\n{words}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
