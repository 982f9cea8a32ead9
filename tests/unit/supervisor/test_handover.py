"""The meeting of two supervisors: what a new one makes of whoever listens at the path."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resolver.config import Admin
from resolver.listen.sockets import open_tcp, open_udp
from resolver.supervisor import handover
from resolver.supervisor.channel import Channel
from resolver.supervisor.handover import MARK, VERSION, Offer, Successors, find_predecessor
from resolver.supervisor.loop import Loop

Answer = Callable[[Channel], None]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "handover")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Old:
    """Somebody who listens at the path, and does what the test says with who comes."""

    def __init__(self, path: str, answer: Answer) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.bind(path)
        self._sock.listen()
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        sock, _ = self._sock.accept()
        channel = Channel(sock)
        while channel.receive() is None:
            pass
        self._answer(channel)
        channel.close()

    def close(self) -> None:
        self._thread.join()
        self._sock.close()


def saying(message: dict[str, Any], given: tuple[int, ...] = ()) -> Answer:
    return lambda channel: channel.send(message, given)


def offer(**changed: Any) -> dict[str, Any]:
    return {"hello": MARK, "version": VERSION, "places": [], "admin": None, "memories": 0, **changed}


def test_where_nobody_listens_there_is_no_predecessor(path: str) -> None:
    assert find_predecessor(path) is None
    crashed = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    crashed.bind(path)
    crashed.listen()
    crashed.close()
    assert find_predecessor(path) is None


@pytest.mark.parametrize(
    ("message", "given"),
    [
        (offer(version=VERSION + 1), 0),
        (offer(version=VERSION + 1), 3),
        (offer(places=[["127.0.0.1", 53, 1]]), 1),
        (offer(places=[["127.0.0.1", 53, 0]]), 0),
        (offer(places=[["127.0.0.1", 53, 1]]), 2),  # descriptors that are no sockets
        (offer(places="nonsense"), 0),
        (offer(memories=-1), 0),
        (offer(memories=2), 1),
        (offer(memories=float("inf")), 0),
        ({"version": VERSION}, 2),
    ],
)
def test_what_is_not_understood_is_a_cold_start_and_leaves_nothing_open(
    path: str, message: dict[str, Any], given: int
) -> None:
    with Path("/dev/null").open() as file:
        old = Old(path, saying(message, (file.fileno(),) * given))
        before = descriptors()
        predecessor = find_predecessor(path)
        assert predecessor is not None
        assert predecessor.offer is None
        predecessor.close()
        old.close()
        assert descriptors() <= before


def test_what_a_successor_does_with_its_copies_makes_no_socket_of_the_predecessor_block(path: str) -> None:
    given = [open_udp("127.0.0.1", 0), open_tcp("127.0.0.1", 0), open_tcp("127.0.0.1", 0)]
    numbers = tuple(sock.fileno() for sock in given)
    old = Old(path, saying(offer(places=[["127.0.0.1", 53, 1]], admin=["127.0.0.1", 9253]), numbers))
    predecessor = find_predecessor(path)
    assert predecessor is not None
    assert predecessor.offer is not None
    (pair,) = predecessor.offer.places["127.0.0.1", 53]
    assert predecessor.offer.admin is not None
    copies = [*pair, predecessor.offer.admin]
    for each in (*copies, *[sock.dup() for sock in copies]):  # as each worker gets them
        each.close()
    assert [os.get_blocking(number) for number in numbers] == [False] * 3
    predecessor.close()
    old.close()
    for sock in given:
        sock.close()


def test_somebody_who_gives_nothing_is_an_error(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Old(path, lambda _: None)
    with pytest.raises(OSError, match=r"no hand-over from"):
        find_predecessor(path)
    old.close()
    Path(path).unlink()
    monkeypatch.setattr(handover, "REPLY_SECONDS", 0.01)
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    silent.bind(path)
    silent.listen()
    with pytest.raises(OSError, match="has not replied"):
        find_predecessor(path)
    silent.close()


@pytest.fixture
def successors(path: str) -> Iterator[tuple[Successors, Loop, list[bool]]]:
    loop, relieved = Loop(), list[bool]()
    both = Successors(loop, path, lambda: Offer({}, None, Admin(), ()), relieved.append)
    both.listen()
    yield both, loop, relieved
    both.close(remove=True)
    loop.close()


def test_only_one_successor_at_a_time_is_listened_to(
    successors: tuple[Successors, Loop, list[bool]], path: str
) -> None:
    _, loop, relieved = successors
    first, second = (socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
    for sock in (first, second):
        sock.connect(path)
        loop.turn(0.0)
    assert second.recv(100) == b""
    Channel(first).send({"answers": True})
    loop.turn(0.0)
    assert relieved == [False], "it never asked for our sockets: it has its own"
    first.close()
    second.close()


def test_a_path_that_cannot_be_listened_at_is_named(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "no" / "handover")
    with pytest.raises(OSError, match=r"node\.handoverSocket"):
        Successors(Loop(), nowhere, lambda: Offer({}, None, Admin(), ()), lambda _: None).listen()


def test_a_file_that_a_successor_has_put_there_is_left_alone(
    successors: tuple[Successors, Loop, list[bool]], path: str
) -> None:
    old, _, _ = successors
    new = Successors(Loop(), path, lambda: Offer({}, None, Admin(), ()), lambda _: None)
    new.listen()
    old.close(remove=True)
    assert Path(path).exists()
    new.close(remove=True)
    assert not Path(path).exists()


@pytest.mark.needs("netns")
def test_a_listener_of_another_user_is_no_predecessor(tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o777 if folder == tmp_path else folder.stat().st_mode | 0o055)
    path = str(tmp_path / "handover.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as impostor:
        os.seteuid(65534)
        try:
            impostor.bind(path)
            impostor.listen()
        finally:
            os.seteuid(0)
        with pytest.raises(OSError, match=r"no hand-over from .*: its user is 65534"):
            find_predecessor(path)
