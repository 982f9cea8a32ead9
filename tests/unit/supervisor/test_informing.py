"""The informer as its supervisor sees it, with a process in its place that says what a test wants."""

import os
import pwd
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resolver.config import Config, Kubernetes, ServiceUpstream, Zone
from resolver.supervisor.identity import identity
from resolver.supervisor.informing import Informing
from resolver.supervisor.loop import Loop

PATIENCE_SECONDS = 60.0


class StandIn:
    """What runs in the informer's process here: says what it was started for, and what the files that it gets hold."""

    def __init__(self, given: Any, channel: Any, *, again: bool) -> None:
        self._given, self._channel = given, channel

    def run(self) -> int:
        self._channel.sock.setblocking(True)
        self._channel.send({"is": "watch", "what": self._given.node, "ok": True, "pid": os.getpid()})
        self._channel.send({"is": "nothing that anybody knows"})
        while True:
            _, descriptors = self._channel.receive()
            held = [os.read(number, 100).decode() for number in descriptors]
            self._channel.send({"is": "endpoints", "service": "s", "held": held})
            if held[0] == "die":
                return 0


class Watched:
    """Informing, its loop, and what it tells."""

    def __init__(self, folder: Path) -> None:
        self.token, self.ca = folder / "token", folder / "ca"
        self.token.write_text("secret")
        self.ca.write_text("authority")
        self.told: list[dict[str, Any]] = []
        self.loop = Loop()
        self.informing = Informing(self.loop, lambda: None, self.told.append)

    def config(self, node: str = "one") -> Config:
        settings = Kubernetes("https://192.0.2.1:6443", str(self.token), str(self.ca), node)
        return Config(zones=(Zone(("cluster.local",), (ServiceUpstream("n", "s"),)),), kubernetes=settings)

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end
            self.loop.turn(0.05)

    def of(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.told if each["is"] == what]

    def is_running(self, pid: int) -> bool:
        done, _ = os.waitpid(pid, os.WNOHANG)
        return done == 0


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("resolver.kubernetes.informer.Informer", StandIn)
    made = Watched(tmp_path)
    yield made
    made.informing.stop()
    made.loop.close()


def test_it_is_given_open_files_and_what_it_says_is_passed_on_and_kept(watched: Watched) -> None:
    watched.informing.follow(watched.config())
    watched.until(lambda: watched.of("endpoints"))
    assert [each["is"] for each in watched.told] == ["watch", "endpoints"]
    assert watched.of("endpoints")[0]["held"] == ["secret", "authority"]
    assert list(watched.informing.known.values()) == watched.told


@pytest.mark.needs("netns")  # root
def test_it_runs_as_the_user_of_workers_and_without_any_right(watched: Watched) -> None:
    watched.informing.stop()
    watched.informing = Informing(watched.loop, lambda: identity("nobody"), watched.told.append)
    watched.informing.follow(watched.config())
    watched.until(lambda: watched.of("endpoints"))
    lines = Path(f"/proc/{watched.of('watch')[0]['pid']}/status").read_text().splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_a_configuration_that_wants_the_same_changes_nothing_and_another_starts_another(watched: Watched) -> None:
    watched.informing.follow(watched.config())
    watched.until(lambda: watched.of("watch"))
    pid = watched.of("watch")[0]["pid"]
    watched.informing.follow(watched.config())
    assert watched.is_running(pid)
    watched.informing.follow(watched.config("two"))
    watched.until(lambda: len(watched.of("watch")) > 1)
    assert watched.of("watch")[1]["what"] == "two"
    watched.informing.follow(Config())
    assert watched.informing.known == {}


def test_one_that_has_died_is_replaced(watched: Watched) -> None:
    watched.token.write_text("die")
    watched.informing.follow(watched.config())
    watched.until(lambda: len(watched.of("watch")) > 2)
    assert len({each["pid"] for each in watched.of("watch")}) > 2


def test_a_token_that_is_not_there_yet_is_waited_for(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("resolver.supervisor.informing._NO_FILE_SECONDS", 0.01)
    watched.token.unlink()
    watched.informing.follow(watched.config())
    watched.until(lambda: watched.of("watch"))
    watched.token.write_text("late")
    watched.until(lambda: watched.of("endpoints"))
    assert watched.of("endpoints")[0]["held"][0] == "late"
    assert len([each for each in caplog.records if "no credentials" in each.getMessage()]) == 1


def test_a_token_that_rotates_is_handed_over_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolver.supervisor.informing.TRUST_SECONDS", 0.01)
    watched.informing.follow(watched.config())
    watched.until(lambda: watched.of("endpoints"))
    watched.token.write_text("fresh")
    watched.until(lambda: watched.of("endpoints")[-1]["held"][0] == "fresh")


def test_where_no_api_server_is_known_that_is_said(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    watched.informing.follow(watched.config()._replace(kubernetes=Kubernetes()))
    assert "the cluster cannot be watched" in caplog.text


def test_where_there_is_no_process_for_it_that_is_said_and_tried_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fork, failures = os.fork, [OSError(11, "no processes")]

    def failing() -> int:
        if failures:
            raise failures.pop()
        return fork()

    monkeypatch.setattr("os.fork", failing)
    watched.informing.follow(watched.config())
    watched.until(lambda: watched.of("endpoints"))
    assert "no informer can be started" in caplog.text
