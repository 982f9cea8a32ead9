"""The resolver on a node: address and rules come after the answers, go after them, and stay through upgrades."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab.ask import ask
from tests.lab.loopback import (
    PATIENCE_SECONDS,
    Running,
    Upstream,
    configuration,
    load,
    nobody_listens,
    running,
    upstream,
)
from tests.lab.netns import Namespace
from tests.lab.nodeside import FOLLOW, sight, tracked
from tests.lab.waiting import wait_until

ADDRESS, ADDRESS_V6 = "169.254.20.10", "fd00:20::10"
PASSED = 'nodelocaldns_conntrack_bypass{result="passed"}'


@pytest.fixture(autouse=True)
def as_before(place: Namespace) -> Iterator[None]:
    """Whatever the test does: addresses, rules and processes of the node are then as they were."""
    place.ip("link", "set", "lo", "up")
    before = sight(place), processes(place)
    yield
    assert (sight(place), processes(place)) == before


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


@pytest.fixture
def config(server: Upstream, tmp_path: Path) -> dict[str, Any]:
    node = {"manageInterface": True, "notrack": True, "handoverSocket": str(tmp_path / "handover")}
    made = configuration(server, node=node)
    made["listen"]["addresses"] = [ADDRESS, ADDRESS_V6]
    return made


def processes(place: Namespace) -> set[str]:
    """Those in the namespace, without the one that looks."""
    found = place.run("ip", "netns", "pids", place.name).stdout.split()
    return {pid for pid in found if Path("/proc", pid).exists()}


def has_address(place: Namespace) -> bool:
    shown = place.run("ip", "address").stdout
    found = {f"inet {ADDRESS}/32" in shown, f"inet6 {ADDRESS_V6}/128" in shown}
    assert len(found) == 1, "one address without the other"
    return found.pop()


def has_rules(place: Namespace) -> bool:
    return ADDRESS in place.run("nft", "list", "ruleset").stdout


def on_the_node(place: Namespace) -> tuple[bool, bool]:
    return has_address(place), has_rules(place)


def test_address_and_rules_stay_through_an_upgrade_and_go_at_the_last_exit(
    place: Namespace, config: dict[str, Any], tmp_path: Path
) -> None:
    with ExitStack() as ending:
        old = ending.enter_context(running(tmp_path, config, "old"))
        assert on_the_node(place) == (True, True)
        with load(config["listen"]["port"], address=ADDRESS) as seen:
            new = ending.enter_context(running(tmp_path, config, "new"))
            wait_until(old.ended, "the end of the old one")
            assert on_the_node(place) == (True, True)
        assert (seen.lost, seen.wrong) == (0, [])
        assert new.metric("nodelocaldns_node_addresses") == 1
        assert new.stop() == 0
    assert on_the_node(place) == (False, False)


def test_queries_over_ipv4_and_ipv6_leave_no_entry_and_the_self_test_says_so(
    place: Namespace, config: dict[str, Any], tmp_path: Path
) -> None:
    place.run("nft", FOLLOW)
    # A self-test that gets no reply within a second is repeated after minutes: here sooner.
    script = (
        "import sys\nfrom resolver.supervisor import keeper\nfrom resolver.__main__ import main\n"
        "keeper.BYPASS_SECONDS = 2.0\nsys.exit(main(sys.argv[1:]))\n"
    )
    with running(tmp_path, config, script=script) as resolver:
        wait_until(lambda: resolver.metric(PASSED) == 1, "the self-test")
        bypass = json.loads(resolver.admin("/health")[1])["node"]["conntrackBypass"]
        assert (bypass["result"], bypass["reason"]) == ("passed", "")
        port = config["listen"]["port"]
        for number in range(50):
            for address in (ADDRESS, ADDRESS_V6):
                for tcp in (False, True):
                    reply = ask(place, address, f"n{number}.example", port=port, tcp=tcp, patience_seconds=5.0)
                    assert reply is not None
        assert tracked(place, port) == []
        assert resolver.stop() == 0
    place.run("nft", "delete table inet follow")


def test_address_and_rules_come_only_once_the_resolver_answers(
    place: Namespace, config: dict[str, Any], tmp_path: Path
) -> None:
    waiting, go = tmp_path / "waiting", tmp_path / "go"
    script = (
        "import asyncio, pathlib, sys\nfrom resolver import service\nfrom resolver.__main__ import main\n"
        "start = service.Service.start\n"
        "async def hesitate(self, sockets, admin):\n"
        f"    pathlib.Path({str(waiting)!r}).touch()\n"
        f"    while not pathlib.Path({str(go)!r}).exists(): await asyncio.sleep(0.01)\n"
        "    await start(self, sockets, admin)\n"
        "service.Service.start = hesitate\nsys.exit(main(sys.argv[1:]))\n"
    )
    resolver = Running(tmp_path, config, script=script)
    watching = threading.Thread(target=resolver.start)
    watching.start()
    try:
        wait_until(waiting.exists, "a worker that is about to begin")
        assert on_the_node(place) == (False, False)
        go.touch()
        watching.join()
        assert on_the_node(place) == (True, True)
        assert resolver.stop() == 0
    finally:
        go.touch()
        watching.join()
        resolver.kill()


def test_a_start_that_fails_leaves_the_node_as_it_was(place: Namespace, config: dict[str, Any], tmp_path: Path) -> None:
    script = (
        "import sys\nfrom resolver import worker\nfrom resolver.__main__ import main\n"
        "def drop(who, parent): raise OSError('not allowed')\nworker.drop = drop\nsys.exit(main(sys.argv[1:]))\n"
    )
    with running(tmp_path, config, script=script, until="cannot start") as failing:
        assert failing.process is not None
        assert failing.process.wait(PATIENCE_SECONDS) == 1
    assert on_the_node(place) == (False, False)


def test_after_the_death_of_all_clients_are_refused_at_once_and_the_next_start_takes_over(
    place: Namespace, config: dict[str, Any], tmp_path: Path
) -> None:
    with running(tmp_path, config, "killed") as killed:
        killed.kill()
    assert on_the_node(place) == (True, True)
    # The worker was killed as well, and closes its socket when it gets a turn.
    wait_until(lambda: nobody_listens(config["listen"]["port"], ADDRESS), "a port that refuses")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.connect((ADDRESS, config["listen"]["port"]))
        client.send(b"?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(10)
    with running(tmp_path, config, "next") as following:
        assert following.stop() == 0
    assert on_the_node(place) == (False, False)


def test_what_somebody_removes_is_put_back(place: Namespace, config: dict[str, Any], tmp_path: Path) -> None:
    with running(tmp_path, config) as resolver:
        place.run("nft", "flush", "ruleset")
        wait_until(lambda: has_rules(place), "the rules")
        assert resolver.stop() == 0
    assert on_the_node(place) == (False, False)
