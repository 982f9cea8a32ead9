"""What a node runs out of, and clocks that jump; docs/failure-modes.md has what is promised."""

import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from resolver.message.framing import frame
from tests.lab.ask import question
from tests.lab.loopback import Running, Upstream, ask_once, configuration, running, upstream
from tests.lab.waiting import wait_until

FEW_DESCRIPTORS = 64
CONNECTIONS = 80
TTL = slice(-10, -6)
"""Of an answer whose only record is an IPv4 address."""


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """64 KiB, and a dozen files."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=16", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on it; returns the file that takes all."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):  # no space left
        while True:
            file.write(b"x" * 1024)
    return ballast


def fill_with_files(disk: Path) -> list[Path]:
    """Leave no room for another one; returns them."""
    with suppress(OSError):  # no space left
        for number in count():
            (disk / f"file-{number}").touch()
    return list(disk.iterdir())


def rcode_of(port: int, name: str) -> int:
    return ask_once(port, name)[3] & 15


def ttl_of(port: int, name: str) -> int:
    return int.from_bytes(ask_once(port, name)[TTL], "big")


def connected(port: int, number: int) -> socket.socket:
    """A connection from one of many addresses."""
    return socket.create_connection(("127.0.0.1", port), 10, source_address=(f"127.0.1.{number}", 0))


def answers(client: socket.socket) -> bool:
    query = question("known.example")
    client.sendall(frame(query))
    return bool(client.recv(4096)[5:6])


def test_connections_of_clients_leave_descriptors_for_everything_else(server: Upstream, tmp_path: Path) -> None:
    few = ("prlimit", f"--nofile={FEW_DESCRIPTORS}:{FEW_DESCRIPTORS}")
    resolver = Running(tmp_path, configuration(server), prefix=few)
    with ExitStack() as ending:
        ending.callback(resolver.kill)
        resolver.start()
        assert resolver.events("few file descriptors, many TCP clients can use them up")[0]["limit"] == FEW_DESCRIPTORS
        port = resolver.config["listen"]["port"]
        clients = [ending.enter_context(connected(port, number)) for number in range(1, CONNECTIONS)]

        def places_are_taken() -> bool:
            """All that there are for them. While dozens more come in one turn, a scrape may be turned away."""
            with suppress(OSError):
                return resolver.metric("nodelocaldns_tcp_connections") == FEW_DESCRIPTORS // 2
            return False

        wait_until(places_are_taken, "all places taken")
        assert [rcode_of(port, f"n{number}.example") for number in range(20)] == [0] * 20
        assert (resolver.admin("/health")[0], resolver.admin("/ready")[0]) == (200, 200)
        assert resolver.metric("process_open_fds") < resolver.metric("process_max_fds") == FEW_DESCRIPTORS
        assert resolver.metric('nodelocaldns_tcp_ended_total{reason="room"}') > 0, "who was idle longest made room"
        assert answers(clients[-1])
        for client in clients:
            client.close()
        with connected(port, 1) as client:
            assert answers(client)
        assert resolver.stop() == 0


@pytest.mark.needs("netns")
def test_a_full_disk_costs_lines_of_the_log_and_nothing_else(server: Upstream, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        config = configuration(server, log={"queries": True}, node={"handoverSocket": str(disk / "handover")})
        with running(disk, config) as resolver:
            port = config["listen"]["port"]
            ballast = fill(disk)
            assert [rcode_of(port, f"n{number}.example") for number in range(100)] == [0] * 100
            wait_until(lambda: resolver.metric("nodelocaldns_log_dropped_total") > 0, "lines that are counted")
            assert (resolver.admin("/health")[0], resolver.admin("/ready")[0]) == (200, 200)
            ballast.unlink()
            os.kill(resolver.pid, signal.SIGHUP)
            wait_until(lambda: b"configuration taken over" in resolver.log.read_bytes(), "the log to go on")
            assert len([line for line in resolver.log.read_text().splitlines() if not whole(line)]) <= 1, "cut off"
            assert resolver.stop() == 0


def whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@pytest.mark.needs("netns")
def test_a_hand_over_socket_for_which_there_is_no_room_is_made_once_there_is(server: Upstream, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, ExitStack() as ending:
        files = fill_with_files(disk)
        config = configuration(server, node={"handoverSocket": str(disk / "handover")})
        old = ending.enter_context(running(tmp_path, config, "old"))
        wait_until(lambda: bool(old.events("no successor can take over")), "the reason")
        assert "No space left on device" in old.events("no successor can take over")[0]["reason"]
        assert rcode_of(config["listen"]["port"], "known.example") == 0
        for file in files:
            file.unlink()
        wait_until(lambda: bool(old.events("a successor can take over")), "the socket")
        assert len(old.events("no successor can take over")) == 1
        new = ending.enter_context(running(tmp_path, config, "new"))
        wait_until(old.ended, "the end of the old one")
        assert new.stop() == 0


@pytest.mark.unmeasured  # coverage, in C, ends a process that has no memory in its own ways
def test_a_worker_that_gets_no_more_memory_is_replaced_at_once(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        port, (worker,) = resolver.config["listen"]["port"], resolver.workers()
        assert rcode_of(port, "known.example") == 0
        pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
        resource.prlimit(worker, resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)
        long, numbers = ".".join(["x" * 60] * 3), count()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.settimeout(0.5)

            def ended() -> bool:
                """Whether the worker has, after more answers that it would like to remember."""
                with suppress(TimeoutError):
                    for _ in range(100):
                        client.send(question(f"n{next(numbers)}.{long}.example"))
                    for _ in range(100):
                        client.recv(4096)
                return bool(resolver.events("worker replaced"))

            wait_until(ended, "the end of the worker")
        assert rcode_of(port, "known.example") == 0, "another one answers"
        (replaced,) = resolver.events("worker replaced")
        assert replaced["reason"] == "out of memory"
        assert resolver.metric('nodelocaldns_workers_replaced_total{reason="out of memory"}') == 1
        assert worker not in resolver.workers()
        assert resolver.stop() == 0


@pytest.mark.needs("faketime")
def test_a_clock_that_is_set_forward_or_back_by_a_day_changes_nothing_but_the_log(
    server: Upstream, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    faked = (
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_NO_CACHE=1",
        "DONT_FAKE_MONOTONIC=1",
    )  # fmt: skip
    resolver = Running(tmp_path, configuration(server), prefix=faked)
    with ExitStack() as ending:
        ending.callback(resolver.kill)
        resolver.start()
        port, workers = resolver.config["listen"]["port"], resolver.workers()
        before = ttl_of(port, "known.example")
        asked = server.asked
        for times, offset in enumerate(("+86400", "-86400"), 1):
            fresh = clock.with_suffix(".new")
            fresh.write_text(offset)
            fresh.replace(clock)
            os.kill(resolver.pid, signal.SIGHUP)
            wait_until(lambda times=times: len(resolver.events("configuration taken over")) == times, "a line")  # type: ignore[misc]
            assert before - 60 < ttl_of(port, "known.example") <= before
            assert resolver.admin("/health")[0] == 200
        dates = [line["ts"][:10] for line in resolver.events("configuration taken over")]
        assert dates[0] > resolver.events("started")[0]["ts"][:10] > dates[1], "the clock was set"
        assert (server.asked, resolver.workers()) == (asked, workers)
        assert resolver.stop() == 0


def test_a_loop_that_stood_still_for_a_second_goes_on_and_says_so(server: Upstream, tmp_path: Path) -> None:
    patient = (
        "import sys\nfrom resolver.supervisor import member\nfrom resolver.__main__ import main\n"
        "member.SILENT_SECONDS = 60.0\nsys.exit(main(sys.argv[1:]))\n"
    )
    with running(tmp_path, configuration(server), script=patient) as resolver:
        port, (worker,) = resolver.config["listen"]["port"], resolver.workers()
        assert rcode_of(port, "known.example") == 0
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.settimeout(1.2)
            os.kill(worker, signal.SIGSTOP)
            client.send(question("known.example"))
            with pytest.raises(TimeoutError):
                client.recv(4096)
            os.kill(worker, signal.SIGCONT)
            client.settimeout(10)
            assert client.recv(4096)[3] & 15 == 0, "what waited is answered"
        wait_until(lambda: resolver.metric("nodelocaldns_event_loop_lag_seconds") > 0.5, "the delay in the metrics")
        assert resolver.workers() == [worker]
        assert resolver.admin("/health")[0] == 200
        assert resolver.stop() == 0
