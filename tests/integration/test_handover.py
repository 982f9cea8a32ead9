"""Two supervisors and one set of sockets: upgrades under load, and every way in which one can fail."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lab.loopback import (
    PATIENCE_SECONDS,
    Counted,
    Running,
    Upstream,
    ask_once,
    configuration,
    load,
    probes,
    running,
    upstream,
)
from tests.lab.waiting import wait_until

TIMES = 10
LEARNT = 40
COMMAND = "import sys\nfrom resolver.__main__ import main\n{before}\nsys.exit(main(sys.argv[1:]))\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


@pytest.fixture
def config(server: Upstream, tmp_path: Path) -> dict[str, Any]:
    return configuration(server, node={"handoverSocket": str(tmp_path / "handover")})


def more(seen: Counted, answered: int) -> bool:
    return seen.answered > answered


def failed(old: Running, times: int) -> bool:
    return len(old.events("the hand-over has failed, going on")) >= times


def patched(before: str) -> str:
    """The command with something in it replaced."""
    return COMMAND.format(before=before)


def test_upgrades_lose_no_query_and_forget_no_answer(server: Upstream, config: dict[str, Any], tmp_path: Path) -> None:
    with ExitStack() as ending:
        old = ending.enter_context(running(tmp_path, config, "version-0"))
        with load(config["listen"]["port"]) as seen, probes(config["admin"]["port"]) as probed:
            wait_until(lambda: seen.answered > 1000, "all names remembered")
            asked = server.asked
            for number in range(1, TIMES + 1):
                new = ending.enter_context(running(tmp_path, config, f"version-{number}"))
                wait_until(old.ended, "the end of the one before")
                assert old.process is not None
                assert old.process.returncode == 0
                assert new.admin("/ready")[0] == 200
                wait_until(partial(more, seen, seen.answered + 50), "answers")
                old = new
        assert (seen.lost, seen.wrong, server.asked - asked) == (0, [], 0)
        assert probed.right > TIMES
        assert probed.wrong == []
        assert old.events("answers taken over")[0]["answers"] == 50
        assert old.stop() == 0
        assert not Path(config["node"]["handoverSocket"]).exists()


def test_what_the_old_one_learns_after_it_has_given_what_it_knew_is_known_to_the_new_one(
    server: Upstream, config: dict[str, Any], tmp_path: Path
) -> None:
    # The new one has taken what the old one knew, and will answer only when the test says so.
    waiting, go = tmp_path / "waiting", tmp_path / "go"
    hesitant = patched(
        "import asyncio, pathlib\nfrom resolver import service\n"
        "async def check(self):\n"
        f"    pathlib.Path({str(waiting)!r}).touch()\n"
        f"    while not pathlib.Path({str(go)!r}).exists(): await asyncio.sleep(0.01)\n"
        "    return ''\n"
        "service.Service.check = check\n"
    )
    port, old = config["listen"]["port"], Running(tmp_path, config, "old")
    new = Running(tmp_path, config, "new", hesitant)
    with ExitStack() as ending:
        for each in (old, new):
            ending.callback(each.kill)
        old.start()
        ask_once(port, "before.example")
        new.start(until="answers taken over")
        wait_until(waiting.exists, "the new one to wait")
        for number in range(LEARNT):
            ask_once(port, f"learnt-{number}.example")
        asked = server.asked
        go.touch()
        wait_until(lambda: old.ended() and bool(new.events("started")), "the new one alone")
        wait_until(lambda: new.metric("coredns_cache_entries") == LEARNT + 1, "all that was learnt")
        for number in range(LEARNT):
            ask_once(port, f"learnt-{number}.example")
        assert server.asked == asked
        assert new.stop() == 0


def test_the_number_of_workers_may_change_on_the_way(server: Upstream, config: dict[str, Any], tmp_path: Path) -> None:
    with ExitStack() as ending:
        old = ending.enter_context(running(tmp_path, config, "one"))
        seen = ending.enter_context(load(config["listen"]["port"]))
        wait_until(lambda: seen.answered > 1000, "all names remembered")
        asked = server.asked
        for number, workers in enumerate((3, 2, 1)):
            wanted = {**config, "listen": {**config["listen"], "workers": workers}}
            new = ending.enter_context(running(tmp_path, wanted, f"then-{number}"))
            wait_until(old.ended, "the end of the one before")
            assert len(new.workers()) == workers
            old = new
            wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert (seen.lost, seen.wrong, server.asked - asked) == (0, [], 0)


def test_whoever_asks_the_admin_endpoints_is_answered_by_the_old_one_until_every_worker_of_the_new_one_is_ready(
    server: Upstream, config: dict[str, Any], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    second_one_waits = patched(
        "import asyncio, pathlib\nfrom resolver import worker\nstart = worker.Service.start\n"
        "async def wait(self, sockets, admin):\n"
        f"    while not pathlib.Path({str(go)!r}).exists() and self.second:\n"
        "        await asyncio.sleep(0.01)\n"
        "    await start(self, sockets, admin)\n"
        "init = worker.Worker.__init__\n"
        "def begin(self, assignment, logs):\n"
        "    init(self, assignment, logs)\n"
        "    worker.Service.second = self.index == 1\n"
        "worker.Worker.__init__ = begin\n"
        "worker.Service.start = wait\n"
    )
    config = {**config, "listen": {**config["listen"], "workers": 2}}
    old, new = Running(tmp_path, config, "old"), Running(tmp_path, config, "new", second_one_waits)
    with ExitStack() as ending:
        for each in (old, new):
            ending.callback(each.kill)
        old.start()
        new.start(until="listening")
        assert not new.events("started")
        assert {old.admin("/ready")[0] for _ in range(50)} == {200}
        with probes(config["admin"]["port"]) as probed:
            go.touch()
            wait_until(lambda: old.ended() and bool(new.events("started")), "the new one alone")
        assert probed.wrong == []
        assert new.admin("/ready")[0] == 200
        assert new.stop() == 0


def test_a_successor_that_fails_its_self_check_changes_nothing(config: dict[str, Any], tmp_path: Path) -> None:
    failing = patched(
        "from resolver import service\nasync def check(self): return 'no answer'\nservice.Service.check = check\n"
    )
    with running(tmp_path, config, "old") as old, load(config["listen"]["port"]) as seen:
        workers = old.workers()
        with running(tmp_path, config, "new", failing, until="cannot start") as new:
            assert new.process is not None
            assert new.process.wait(PATIENCE_SECONDS) == 1
            assert new.events("the self-check has failed")
        wait_until(lambda: bool(old.events("the hand-over has failed, going on")), "the word of the old one")
        wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert old.workers() == workers
        assert (seen.lost, seen.wrong) == (0, [])


def test_a_successor_that_dies_or_says_nothing_changes_nothing(config: dict[str, Any], tmp_path: Path) -> None:
    impatient = patched("from resolver.supervisor import handover\nhandover.TAKEOVER_SECONDS = 3.0\n")
    silent = patched(
        "import os, time\nfrom resolver.supervisor import handover, supervisor\n"
        "def take_over(self):\n"
        "    handover.find_predecessor(self._config.node.handover_socket)\n"
        "    supervisor.event(supervisor._log, 40, 'silent now')\n"
        "    time.sleep(600)\n"
        "supervisor.Supervisor._take_over = take_over\n"
    )
    with running(tmp_path, config, "old", impatient) as old, load(config["listen"]["port"]) as seen:
        for number in range(2):
            with running(tmp_path, config, f"new-{number}", silent, until="silent now") as new:
                if number:
                    new.kill()
                wait_until(partial(failed, old, number + 1), "the old one goes on")
        wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert (seen.lost, seen.wrong) == (0, [])
        with running(tmp_path, config, "good"):
            wait_until(old.ended, "the end of the old one")


def test_a_successor_that_comes_too_late_gives_up(config: dict[str, Any], tmp_path: Path) -> None:
    impatient = patched("from resolver.supervisor import handover\nhandover.TAKEOVER_SECONDS = 0.0\n")
    with running(tmp_path, config, "old", impatient) as old, load(config["listen"]["port"]) as seen:
        with running(tmp_path, config, "new", until="cannot start") as new:
            assert new.process is not None
            assert new.process.wait(PATIENCE_SECONDS) == 1
            assert "no hand-over from" in new.events("cannot start")[0]["reason"]
        wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert not old.ended()
        assert (seen.lost, seen.wrong) == (0, [])


def test_a_successor_that_takes_too_long_gives_up(config: dict[str, Any], tmp_path: Path) -> None:
    impatient = patched("from resolver.supervisor import handover\nhandover.TAKEOVER_SECONDS = 1.0\n")
    slow = patched(
        "import os, time\nfrom resolver import service\n"
        f"mark = {str(tmp_path / 'old.log')!r}\n"
        "async def check(self):\n"
        "    while 'the hand-over has failed' not in open(mark).read(): time.sleep(0.01)\n"
        "    return ''\n"
        "service.Service.check = check\n"
    )
    with running(tmp_path, config, "old", impatient) as old, load(config["listen"]["port"]) as seen:
        with running(tmp_path, config, "new", slow, until="cannot start") as new:
            assert new.process is not None
            assert new.process.wait(PATIENCE_SECONDS) == 1
            assert new.events("cannot start")[0]["reason"] == "the predecessor did not wait for so long, and goes on"
        wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert not old.ended()
        assert (seen.lost, seen.wrong) == (0, [])


def test_another_version_starts_cold_beside_it_and_then_relieves_it(
    server: Upstream, config: dict[str, Any], tmp_path: Path
) -> None:
    newer = patched("from resolver.supervisor import handover\nhandover.VERSION = 2\n")
    with running(tmp_path, config, "old") as old, load(config["listen"]["port"]) as seen:
        wait_until(lambda: seen.answered > 1000, "all names remembered")
        asked = server.asked
        with running(tmp_path, config, "new", newer) as new:
            wait_until(old.ended, "the end of the old one")
            assert new.events("the predecessor speaks another version, starting cold beside it")
            wait_until(partial(more, seen, seen.answered + 500), "answers")
            assert server.asked > asked
            assert seen.wrong == []
            assert new.admin("/ready")[0] == 200


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_socket_is_for_its_own_user_only(server: Upstream, tmp_path: Path, open_folder: Path) -> None:
    path = open_folder / "handover"
    with running(tmp_path, configuration(server, node={"handoverSocket": str(path)})) as resolver:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if os.geteuid() != 0:
            return
        # Even if somebody opens it to all.
        path.chmod(0o666)
        stranger = (
            "import os, socket, sys\nos.setuid(65534)\n"
            "sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
            f"sock.connect({str(path)!r})\n"
            'try:\n sock.send(b\'\\1{"hello": "nodelocaldns hand-over", "version": 1}\')\n'
            " sys.exit(len(sock.recv(1000)))\n"
            "except (BrokenPipeError, ConnectionResetError): pass\n"
        )
        assert subprocess.run([sys.executable, "-c", stranger], check=False, env={}).returncode == 0
        assert resolver.events("hand-over refused")[0]["reason"] == "its user is 65534"


def test_nonsense_on_the_socket_changes_nothing(config: dict[str, Any], tmp_path: Path) -> None:
    with running(tmp_path, config) as resolver:
        for number, nonsense in enumerate((b"?", b"\1[]", b'\1{"answers": 0}', b"\1{" * 2000)):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.connect(config["node"]["handoverSocket"])
                sock.send(nonsense)
            wait_until(partial(failed, resolver, number + 1), "the old one goes on")
        assert resolver.admin("/ready")[0] == 200


def test_a_file_that_a_crashed_predecessor_left_is_replaced(config: dict[str, Any], tmp_path: Path) -> None:
    with running(tmp_path, config, "crashed") as crashed:
        crashed.kill()
        assert Path(config["node"]["handoverSocket"]).exists()
        with running(tmp_path, config, "next") as following:
            assert following.stop() == 0
        assert not Path(config["node"]["handoverSocket"]).exists()


@pytest.mark.needs("netns")
def test_the_first_process_of_a_container_stays_after_it_was_relieved_until_it_is_told_to_stop(
    config: dict[str, Any], tmp_path: Path
) -> None:
    first = Running(tmp_path, config, "old", prefix=("unshare", "--pid", "--fork", "--kill-child"))
    first.start()
    try:
        with load(config["listen"]["port"]) as seen, running(tmp_path, config, "new") as new:
            wait_until(lambda: bool(first.events("waiting for the signal to stop")), "the word of the old one")
            assert not first.ended()
            (idle,) = first.workers()
            os.kill(idle, signal.SIGTERM)
            wait_until(first.ended, "its end")
            assert first.process is not None
            assert first.process.returncode == 0
            assert new.admin("/ready")[0] == 200
            assert (seen.lost, seen.wrong) == (0, [])
    finally:
        first.kill()
