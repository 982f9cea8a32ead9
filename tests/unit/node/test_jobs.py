"""The helper process may end in any way; its starter gets a reply or one exception."""

import os
import sys
from pathlib import Path

import pytest

from resolver.node import jobs
from resolver.node.errors import ErrorType, NodeError
from resolver.node.helper import Request
from resolver.node.jobs import Job

REQUEST = Request("set up", device="nodelocaldns")


def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, patience_seconds: float = 60.0) -> Job:
    """A job whose helper is this shell script."""
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", patience_seconds)
    program = tmp_path / "helper"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return Job(REQUEST, ErrorType.INTERFACE_ADD)


def test_a_reply_may_come_in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = start(monkeypatch, tmp_path, """printf '{"device"'; printf ': "lo"}\\n'""")
    assert job.wait() == {"device": "lo"}


def test_waiting_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    job = start(monkeypatch, tmp_path, f"read go <{fifo}; echo '{{}}'")
    assert job.poll() is None
    fifo.write_text("\n")
    assert job.wait() == {}


def test_the_reply_counts_although_the_child_was_reaped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = start(monkeypatch, tmp_path, "echo '{}'; exit 3")
    os.waitpid(job._pid, 0)
    assert job.wait() == {}


def test_what_the_helper_could_not_do_is_raised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = start(monkeypatch, tmp_path, """echo '{"error": "iptables", "message": "node.notrack: no"}'""")
    with pytest.raises(NodeError, match=r"^node\.notrack: no$") as raised:
        job.wait()
    assert raised.value.kind is ErrorType.IPTABLES


@pytest.mark.parametrize("script", ["exit 1", "echo half of something", "kill -9 $$"])
def test_a_helper_that_breaks_off_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    with pytest.raises(NodeError, match="ended before it could set up") as raised:
        start(monkeypatch, tmp_path, script).wait()
    assert raised.value.kind is ErrorType.INTERFACE_ADD


def test_a_helper_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = start(monkeypatch, tmp_path, "exec sleep 600", patience_seconds=0.01)
    with pytest.raises(NodeError, match="did not set up within"):
        job.wait()
    with pytest.raises(ChildProcessError):
        os.waitpid(job._pid, os.WNOHANG)


def test_a_helper_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(NodeError, match="cannot be started: No such file"):
        Job(REQUEST, ErrorType.INTERFACE_ADD)
