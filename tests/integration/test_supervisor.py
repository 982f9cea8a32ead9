"""Supervisor and workers as real processes: what a worker's death costs, what it may do, what several say."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lab.loopback import (
    PATIENCE_SECONDS,
    Counted,
    Running,
    Upstream,
    ask_once,
    configuration,
    load,
    nobody_listens,
    running,
    upstream,
)
from tests.lab.waiting import wait_until

KILLS = 8
HANGING = (
    "import os, sys, time\n"
    "from resolver import service\n"
    "from resolver.__main__ import main\n"
    "start = service.Service.start\n"
    "async def hang(self, sockets, admin):\n"
    "    if os.path.exists({mark!r}):\n"
    "        os.unlink({mark!r})\n"
    "        time.sleep(600)\n"
    "    await start(self, sockets, admin)\n"
    "service.Service.start = hang\n"
    "sys.exit(main(sys.argv[1:]))\n"
)
"""The command, whose next worker hangs before it begins to answer if this file is there."""


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


def replaced(resolver: Running, before: int) -> bool:
    """Whether there is a worker in the place of that one."""
    return bool(resolver.workers()) and before not in resolver.workers()


def more_than(seen: Counted, answered: int) -> bool:
    return seen.answered > answered


def taken_over(resolver: Running, times: int) -> bool:
    return len(resolver.events("configuration taken over")) >= times


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def has_ended(pid: int) -> bool:
    try:
        return status_of(pid)["State"][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_worker_that_is_killed_again_and_again_costs_at_most_the_queries_it_had_read(
    server: Upstream, tmp_path: Path
) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        with load(resolver.config["listen"]["port"]) as seen:
            for _ in range(KILLS):
                (worker,) = resolver.workers()
                enough = seen.answered + 200
                os.kill(worker, signal.SIGKILL)
                wait_until(partial(replaced, resolver, worker), "another worker")
                wait_until(partial(more_than, seen, enough), "answers of the other worker")
        assert seen.lost <= KILLS * 4
        assert seen.wrong == []
        assert [line["how"] for line in resolver.events("worker replaced")] == ["SIGKILL"] * KILLS
        assert resolver.stop() == 0


def test_a_worker_that_stands_still_is_replaced(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        (worker,) = resolver.workers()
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: replaced(resolver, worker), "another worker")
        ask_once(resolver.config["listen"]["port"], "n1.example")
        assert [line["reason"] for line in resolver.events("worker replaced")] == ["silent"]
        assert resolver.metric("nodelocaldns_workers_replaced_total") == 1
        assert resolver.stop() == 0


def test_a_replacement_that_hangs_before_it_answers_is_replaced_in_its_turn(server: Upstream, tmp_path: Path) -> None:
    mark = tmp_path / "hang"
    with running(tmp_path, configuration(server), script=HANGING.format(mark=str(mark))) as resolver:
        mark.touch()
        (worker,) = resolver.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(resolver.events("worker replaced")) == 2, "the replacement of the replacement")
        assert not mark.exists()
        assert [line["reason"] for line in resolver.events("worker replaced")] == ["died", "not ready"]
        assert ask_once(resolver.config["listen"]["port"], "n1.example")[3] & 15 == 0
        assert resolver.stop() == 0


def test_a_start_whose_worker_hangs_fails(server: Upstream, tmp_path: Path) -> None:
    mark = tmp_path / "hang"
    mark.touch()
    script = HANGING.format(mark=str(mark))
    with running(tmp_path, configuration(server), script=script, until="cannot start") as resolver:
        assert resolver.process is not None
        assert resolver.process.wait(PATIENCE_SECONDS) == 1
        assert resolver.events("a worker cannot start")[0]["reason"] == "not ready"


def test_a_pause_of_the_whole_group_is_not_the_workers_fault(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        before = resolver.workers()
        os.killpg(resolver.pid, signal.SIGSTOP)
        with pytest.raises(ChildProcessError):  # nothing ends meanwhile: a bounded wait without a sleep
            os.waitpid(before[0], 0)
        os.killpg(resolver.pid, signal.SIGCONT)
        ask_once(resolver.config["listen"]["port"], "n1.example")
        assert resolver.workers() == before
        assert resolver.stop() == 0


def test_workers_that_keep_dying_are_started_ever_more_slowly(server: Upstream, tmp_path: Path) -> None:
    # Each worker dies when it has begun to answer, the first one excepted.
    script = (
        "import os, sys\n"
        "from resolver import main, worker\n"
        "from resolver.supervisor import pace\n"
        "pace.CREDIT, pace.CREDIT_SECONDS = 2.0, 1000.0\n"
        "from resolver.__main__ import main as command\n"
        "run, started = worker.Worker._beat, os.getpid()\n"
        f"mark = {str(tmp_path / 'dying')!r}\n"
        "def beat(self):\n"
        "    if os.path.exists(mark): os._exit(7)\n"
        "    run(self)\n"
        "worker.Worker._beat = beat\n"
        "sys.exit(command(sys.argv[1:]))\n"
    )
    with running(tmp_path, configuration(server), script=script) as resolver:
        (tmp_path / "dying").touch()
        wait_until(
            lambda: any(line["pauseSeconds"] >= 0.5 for line in resolver.events("worker replaced")), "a longer pause"
        )
        pauses = [line["pauseSeconds"] for line in resolver.events("worker replaced")]
        assert pauses == sorted(pauses)
        assert {line["how"] for line in resolver.events("worker replaced")} == {"status 7"}
        (tmp_path / "dying").unlink()
        assert ask_once(resolver.config["listen"]["port"], "n1.example")[3] & 15 == 0
        assert resolver.stop() == 0


@pytest.mark.needs("netns")
def test_a_worker_has_another_user_no_capabilities_and_no_way_to_any(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server, node={"user": "nobody"})) as resolver:
        (worker,) = resolver.workers()
        status = status_of(worker)
        assert set(status["Uid"].split()) == {"65534"}
        assert set(status["Gid"].split()) == {"65534"}
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        own = int(Path(f"/proc/{resolver.pid}/oom_score_adj").read_text())
        assert int(Path(f"/proc/{worker}/oom_score_adj").read_text()) > own
        assert ask_once(resolver.config["listen"]["port"], "n1.example")[3] & 15 == 0
        assert resolver.stop() == 0


def test_a_worker_does_not_outlive_its_supervisor(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        (worker,) = resolver.workers()
        os.kill(resolver.pid, signal.SIGKILL)
        wait_until(lambda: has_ended(worker), "its end")
        resolver.process.wait()  # type: ignore[union-attr]  # it was started
        # A process is said to have ended once its first thread has; the last one closes the socket.
        wait_until(lambda: nobody_listens(resolver.config["listen"]["port"]), "a port that refuses")


def test_a_user_that_does_not_exist_is_named_and_nothing_starts(server: Upstream, tmp_path: Path) -> None:
    config = configuration(server, node={"user": "no-such-user"})
    with running(tmp_path, config, until="cannot start") as resolver:
        assert resolver.process is not None
        assert resolver.process.wait(PATIENCE_SECONDS) == 1
        assert resolver.events("cannot start")[0]["reason"] == "node.user: there is no user no-such-user"


def test_a_worker_that_cannot_begin_ends_the_start(server: Upstream, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from resolver import worker\n"
        "from resolver.__main__ import main\n"
        "def drop(who, parent): raise OSError('not allowed')\n"
        "worker.drop = drop\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    config = configuration(server, workers=2)
    with running(tmp_path, config, script=script, until="cannot start") as resolver:
        assert resolver.process is not None
        assert resolver.process.wait(PATIENCE_SECONDS) == 1
        assert resolver.events("a worker cannot start")


def test_several_workers_share_the_work_and_speak_with_one_voice(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server, workers=3)) as resolver:
        port = resolver.config["listen"]["port"]
        assert len(resolver.workers()) == 3
        for number in range(60):
            ask_once(port, f"n{number % 5}.example")
        assert resolver.metric("coredns_dns_requests_total") == 60
        assert resolver.metric("nodelocaldns_build_info") == 1
        assert resolver.metric("coredns_cache_entries") > 5, "each has a cache of its own, and the sources differ"
        status, page = resolver.admin("/health")
        health = json.loads(page)
        assert (status, health["status"], [each["worker"] for each in health["workers"]]) == (200, "ok", [0, 1, 2])
        assert resolver.admin("/ready")[0] == 200
        known = json.loads(resolver.admin("/cache?name=n1.example")[1])
        assert len(known["entries"]) > 1
        assert json.loads(resolver.admin("/cache?all=true", "DELETE")[1])["forgotten"] > 5
        assert resolver.metric("coredns_cache_entries") == 0
        assert resolver.stop() == 0


def test_of_several_workers_one_that_is_replaced_takes_no_count_and_no_answer_with_it(
    server: Upstream, tmp_path: Path
) -> None:
    with running(tmp_path, configuration(server, workers=2)) as resolver:
        port = resolver.config["listen"]["port"]
        while resolver.metric("coredns_cache_entries") < 2 * 50:
            for number in range(100):
                ask_once(port, f"n{number % 50}.example")
        asked, counted = server.asked, resolver.metric("coredns_dns_requests_total")
        for worker in resolver.workers():  # one of them adds up
            os.kill(worker, signal.SIGKILL)
            wait_until(partial(replaced, resolver, worker), "another worker")
            wait_until(lambda: resolver.metric("coredns_cache_entries") == 2 * 50, "what its sibling knows")
            now = resolver.metric("coredns_dns_requests_total")
            assert now >= counted
            counted = now
        for number in range(200):
            ask_once(port, f"n{number % 50}.example")
        assert resolver.metric("coredns_dns_requests_total") == counted + 200
        assert resolver.metric("nodelocaldns_workers_replaced_total") == 2
        assert server.asked == asked, "names that a sibling knew"
        assert resolver.stop() == 0


def test_health_names_the_worker_that_does_not_answer(server: Upstream, tmp_path: Path) -> None:
    # The page asks the sockets, and so whoever reads there: not a replacement while it does.
    script = (
        "import sys\nfrom resolver.supervisor import member\nfrom resolver.__main__ import main\n"
        "member.SILENT_SECONDS = 10.0\nsys.exit(main(sys.argv[1:]))\n"
    )
    with running(tmp_path, configuration(server, workers=2), script=script) as resolver:
        admin, other = resolver.workers()
        os.kill(other, signal.SIGSTOP)
        status, page = resolver.admin("/health")
        assert status == 503
        assert any(reason.startswith("worker 1: ") for reason in json.loads(page)["reasons"])
        wait_until(lambda: replaced(resolver, other), "its replacement")
        wait_until(lambda: resolver.admin("/health")[0] == 200, "health")
        assert admin in resolver.workers()
        assert resolver.stop() == 0


def test_every_worker_takes_over_a_changed_configuration_and_keeps_what_it_remembers(
    server: Upstream, tmp_path: Path
) -> None:
    with running(tmp_path, configuration(server, workers=2)) as resolver:
        port = resolver.config["listen"]["port"]
        with load(port) as seen:
            wait_until(lambda: min(seen.by_client) > 60, "all names in the cache of each client's worker")
            asked = server.asked
            for turn in range(6):
                addresses = ["127.0.0.1", "127.0.0.2"] if turn % 2 else ["127.0.0.1"]
                resolver.configure({**resolver.config, "listen": {**resolver.config["listen"], "addresses": addresses}})
                os.kill(resolver.pid, signal.SIGHUP)
                wait_until(partial(taken_over, resolver, turn + 1), "the configuration")
        assert (seen.lost, seen.wrong, server.asked - asked) == (0, [], 0)
        assert resolver.metric("nodelocaldns_config_reloads_total") == 6
        assert len(resolver.workers()) == 2
        assert resolver.stop() == 0


def test_a_stop_answers_what_was_asked_before(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        port = resolver.config["listen"]["port"]
        clients = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(100)]
        os.kill(resolver.workers()[0], signal.SIGSTOP)
        for number, client in enumerate(clients):
            client.connect(("127.0.0.1", port))
            client.settimeout(PATIENCE_SECONDS)
            client.send(b"\1\2\1\0\0\1\0\0\0\0\0\0\2n%d\7example\0\0\1\0\1" % (number % 10))
        resolver.process.terminate()  # type: ignore[union-attr]  # it was started
        os.kill(resolver.workers()[0], signal.SIGCONT)
        assert all(client.recv(512)[3] & 15 == 0 for client in clients)
        assert resolver.process.wait(PATIENCE_SECONDS) == 0  # type: ignore[union-attr]  # as above
        for client in clients:
            client.close()
