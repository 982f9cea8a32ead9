"""Two supervisors and one set of sockets: upgrades under load, and every way in which one can fail."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lab.loopback import Counted, Running, Upstream, configuration, load, running, upstream
from tests.lab.waiting import wait_until

TIMES = 20
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
        with load(config["listen"]["port"]) as seen:
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
        assert old.events("answers taken over")[0]["answers"] == 50
        assert old.stop() == 0
        assert not Path(config["node"]["handoverSocket"]).exists()


def test_the_number_of_workers_may_change_on_the_way(server: Upstream, config: dict[str, Any], tmp_path: Path) -> None:
    with ExitStack() as ending:
        old = ending.enter_context(running(tmp_path, config, "one"))
        seen = ending.enter_context(load(config["listen"]["port"]))
        for number, workers in enumerate((3, 2, 1)):
            wanted = {**config, "listen": {**config["listen"], "workers": workers}}
            new = ending.enter_context(running(tmp_path, wanted, f"then-{number}"))
            wait_until(old.ended, "the end of the one before")
            assert len(new.workers()) == workers
            old = new
        wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert (seen.lost, seen.wrong) == (0, [])


def test_a_successor_that_fails_its_self_check_changes_nothing(config: dict[str, Any], tmp_path: Path) -> None:
    failing = patched(
        "from resolver import service\nasync def check(self): return 'no answer'\nservice.Service.check = check\n"
    )
    with running(tmp_path, config, "old") as old, load(config["listen"]["port"]) as seen:
        workers = old.workers()
        with running(tmp_path, config, "new", failing, until="cannot start") as new:
            assert new.process is not None
            assert new.process.wait(10) == 1
            assert new.events("the self-check has failed")
        wait_until(lambda: bool(old.events("the hand-over has failed, going on")), "the word of the old one")
        wait_until(partial(more, seen, seen.answered + 200), "answers")
        assert old.workers() == workers
        assert (seen.lost, seen.wrong) == (0, [])


def test_a_successor_that_dies_or_says_nothing_changes_nothing(config: dict[str, Any], tmp_path: Path) -> None:
    impatient = patched("from resolver.supervisor import handover\nhandover.TAKEOVER_SECONDS = 3.0\n")
    silent = patched(
        "import os, time\nfrom resolver.supervisor import supervisor\n"
        "def take_over(self):\n"
        "    supervisor.find_predecessor(self._config.node.handover_socket)\n"
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
            assert new.process.wait(10) == 1
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
            assert new.process.wait(10) == 1
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


def test_the_socket_is_for_its_own_user_only(config: dict[str, Any], tmp_path: Path) -> None:
    path = Path(config["node"]["handoverSocket"])
    with running(tmp_path, config) as resolver:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if os.geteuid() != 0:
            return
        # Even if somebody opens it to all.
        path.chmod(0o666)
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
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
