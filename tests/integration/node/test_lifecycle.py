"""The resolver on a node: address and rules come after the answers, go after them, and stay through upgrades."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab.loopback import Upstream, configuration, load, running, upstream
from tests.lab.netns import Namespace
from tests.lab.waiting import wait_until

ADDRESS = "169.254.20.10"


@pytest.fixture
def server(place: Namespace) -> Iterator[Upstream]:
    place.ip("link", "set", "lo", "up")
    with upstream() as answering:
        yield answering


@pytest.fixture
def config(server: Upstream, tmp_path: Path) -> dict[str, Any]:
    node = {"manageInterface": True, "notrack": True, "handoverSocket": str(tmp_path / "handover")}
    made = configuration(server, node=node)
    made["listen"]["addresses"] = [ADDRESS]
    return made


def has_address(place: Namespace) -> bool:
    return f"inet {ADDRESS}/32" in place.run("ip", "address").stdout


def has_rules(place: Namespace) -> bool:
    return ADDRESS in place.run("nft", "list", "ruleset").stdout


def on_the_node(place: Namespace) -> tuple[bool, bool]:
    return has_address(place), has_rules(place)


def test_address_and_rules_stay_through_an_upgrade_and_go_at_the_last_exit(
    place: Namespace, config: dict[str, Any], tmp_path: Path
) -> None:
    before = place.run("ip", "-o", "address").stdout, place.run("nft", "list", "ruleset").stdout
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
    assert (place.run("ip", "-o", "address").stdout, place.run("nft", "list", "ruleset").stdout) == before


def test_a_start_that_fails_leaves_the_node_as_it_was(place: Namespace, config: dict[str, Any], tmp_path: Path) -> None:
    script = (
        "import sys\nfrom resolver import worker\nfrom resolver.__main__ import main\n"
        "def drop(who, parent): raise OSError('not allowed')\nworker.drop = drop\nsys.exit(main(sys.argv[1:]))\n"
    )
    with running(tmp_path, config, script=script, until="cannot start") as failing:
        assert failing.process is not None
        assert failing.process.wait(10) == 1
    assert on_the_node(place) == (False, False)


def test_after_the_death_of_all_clients_are_refused_at_once_and_the_next_start_takes_over(
    place: Namespace, config: dict[str, Any], tmp_path: Path
) -> None:
    with running(tmp_path, config, "killed") as killed:
        killed.kill()
    assert on_the_node(place) == (True, True)
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(10)
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
