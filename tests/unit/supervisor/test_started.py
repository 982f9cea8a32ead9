"""`--started`: who listens at a hand-over socket, seen without connecting."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.__main__ import main
from resolver.supervisor.started import is_started


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Made as the supervisor makes its own: bound beside the path, then renamed to it."""
    path = tmp_path / "handover.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.bind(f"{path}.1")
        sock.listen()
        Path(f"{path}.1").rename(path)
        yield sock


def test_who_listens_has_started(listener: socket.socket, tmp_path: Path) -> None:
    assert is_started(str(tmp_path / "handover.sock"))
    assert main(["--started", str(tmp_path / "handover.sock")]) == 0


def test_a_file_that_nobody_listens_at_is_no_start(listener: socket.socket, tmp_path: Path) -> None:
    listener.close()
    assert (tmp_path / "handover.sock").exists()
    assert not is_started(str(tmp_path / "handover.sock"))
    assert main(["--started", str(tmp_path / "handover.sock")]) == 1


def test_a_socket_that_only_connects_is_no_start(listener: socket.socket, tmp_path: Path) -> None:
    path = str(tmp_path / "handover.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.bind(f"{path}.client")
        client.connect(path)
        listener.close()
        assert not is_started(path)


def test_nothing_is_said_to_who_listens(listener: socket.socket, tmp_path: Path) -> None:
    listener.setblocking(False)
    assert is_started(str(tmp_path / "handover.sock"))
    with pytest.raises(BlockingIOError):
        listener.accept()
