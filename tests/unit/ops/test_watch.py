import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from resolver.ops.watch import MOST_BYTES, SECOND_LOOK_SECONDS, FileWatch, read_text


class Watched:
    """A watch whose callbacks are written down; `polls` stands for intervals that pass."""

    def __init__(self, path: Path, seen: str | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.watch = FileWatch(
            str(path),
            lambda text: self.calls.append(("text", text)),
            lambda reason: self.calls.append(("error", reason)),
            seen=seen,
        )

    def polls(self, count: int = 2) -> list[tuple[str, str]]:
        self.calls.clear()
        for _ in range(count):
            self.watch.poll()
        return list(self.calls)


def settled(path: Path, text: str) -> Watched:
    path.write_text(text)
    os.utime(path, ns=(0, 0))  # whatever the kernel's tick: the next write has another time
    watched = Watched(path)
    assert watched.polls() == [("text", text)]
    return watched


def publish(folder: Path, version: str, text: str) -> None:
    """Write `folder`/file as the kubelet writes a ConfigMap: a new directory, then a symlink swapped to it."""
    data = folder / version
    data.mkdir()
    (data / "file").write_text(text)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / "file").is_symlink():
        (folder / "file").symlink_to("..data/file")


def rewrite(path: Path) -> None:
    path.write_text("new!")


def replace(path: Path) -> None:
    path.with_suffix(".tmp").write_text("new!")
    path.with_suffix(".tmp").replace(path)


def unlink_and_create(path: Path) -> None:
    path.unlink()
    path.write_text("new!")


@pytest.mark.parametrize("change", [rewrite, replace, unlink_and_create])
def test_change_is_delivered_once(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    watched = settled(path, "old!")
    change(path)
    assert watched.polls(5) == [("text", "new!")]


def test_swap_of_a_config_map_is_noticed(tmp_path: Path) -> None:
    publish(tmp_path, "..1", "one")
    watched = Watched(tmp_path / "file", seen="one")
    assert watched.polls(3) == []
    publish(tmp_path, "..2", "two")
    assert watched.polls(3) == [("text", "two")]


def test_file_that_is_touched_but_the_same_is_not_delivered(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = settled(path, "same")
    replace_with_same = path.with_suffix(".tmp")
    replace_with_same.write_text("same")
    replace_with_same.replace(path)
    assert watched.polls(4) == []


def test_text_that_the_owner_has_seen_is_not_delivered_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("known")
    assert Watched(tmp_path / "file", seen="known").polls(4) == []


def test_change_between_the_owners_read_and_the_first_poll_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("newer")
    assert Watched(tmp_path / "file", seen="known").polls() == [("text", "newer")]


def test_file_that_is_empty_while_it_is_rewritten_is_not_delivered_empty(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = settled(path, "old")
    path.write_text("")
    assert watched.polls(1) == []
    path.write_text("new")
    assert watched.polls(3) == [("text", "new")]


def test_second_write_that_leaves_the_stat_as_it_was_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    watched = settled(path, "old")
    path.write_text("one")
    same_tick = path.stat()
    monkeypatch.setattr("resolver.ops.watch.os.stat", lambda _path: same_tick)
    assert watched.polls(1) == []
    path.write_text("two")
    assert watched.polls(3) == [("text", "two")]


def test_vanished_file_is_reported_once_and_delivered_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = settled(path, "text")
    path.unlink()
    assert watched.polls(5) == [("error", "No such file or directory")]
    path.write_text("text")
    assert watched.polls(5) == [("text", "text")]
    path.unlink()
    assert watched.polls(5) == [("error", "No such file or directory")]


def test_file_that_is_gone_for_one_poll_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = settled(path, "text")
    path.unlink()
    assert watched.polls(1) == []
    path.write_text("text")
    assert watched.polls(3) == []


def test_unreadable_file_is_tried_again_and_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    watched = settled(path, "old")
    path.write_text("new")
    with monkeypatch.context() as patch:
        refusing = PermissionError(13, "Permission denied")
        patch.setattr("resolver.ops.watch.open", lambda *_: (_ for _ in ()).throw(refusing), raising=False)
        assert watched.polls(5) == [("error", "Permission denied")]
    assert watched.polls(1) == [("text", "new")]


def test_what_is_not_a_small_regular_file_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * (MOST_BYTES + 1))
    assert Watched(tmp_path / "pipe").polls(3) == [("error", "not a regular file")]
    assert Watched(tmp_path).polls(3) == [("error", "not a regular file")]
    assert Watched(tmp_path / "large").polls(3) == [("error", "File too large")]


def test_bytes_that_are_not_text_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"# caf\xe9\nnameserver 192.0.2.1\n")
    assert read_text(str(tmp_path / "file")) == "# caf\ufffd\nnameserver 192.0.2.1\n"


def test_read_now_calls_back_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = settled(path, "text")
    watched.calls.clear()
    watched.watch.read_now()
    watched.watch.read_now()
    path.unlink()
    watched.watch.read_now()
    watched.watch.read_now()
    error = ("error", "No such file or directory")
    assert watched.calls == [("text", "text"), ("text", "text"), error, error]
    assert watched.polls(3) == []


def test_read_now_is_not_followed_by_the_same_text(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = settled(path, "old")
    path.write_text("new")
    watched.watch.read_now()
    assert watched.polls(3) == []


def test_watch_polls_on_the_loop_until_it_is_closed_even_if_a_callback_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")

    async def scenario() -> tuple[list[str], int]:
        delivered: asyncio.Queue[str] = asyncio.Queue()
        failures: list[str] = []

        def fail_once(text: str) -> None:
            delivered.put_nowait(text)
            if text == "one":
                raise RuntimeError(text)

        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(str(context["exception"])))
        watch = FileWatch(str(path), fail_once, failures.append, interval_seconds=0.001)
        watch.start()
        assert await asyncio.wait_for(delivered.get(), 60) == "one"
        path.write_text("two")
        assert await asyncio.wait_for(delivered.get(), 60) == "two"
        watch.close()
        watch.close()
        return failures, delivered.qsize()

    assert asyncio.run(scenario()) == (["one"], 0)


def test_what_was_seen_for_the_first_time_is_looked_at_again_before_a_whole_interval_has_passed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    delivered: list[str] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        turns: list[tuple[float, asyncio.TimerHandle]] = []

        def call_later(delay: float, callback: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
            timer = asyncio.TimerHandle(loop.time() + delay, callback, arguments, loop)
            turns.append((delay, timer))
            return timer

        def pass_turn() -> float:
            delay, timer = next(turn for turn in turns if not turn[1].cancelled())
            turns.clear()
            timer._run()
            return delay

        loop.call_later = call_later  # type: ignore[method-assign, assignment]
        watch = FileWatch(str(path), delivered.append, delivered.append, seen="old")
        watch.start()
        assert [pass_turn() for _ in range(3)] == [SECOND_LOOK_SECONDS, 1.0, 1.0]
        path.write_text("new!")
        assert [pass_turn() for _ in range(3)] == [1.0, SECOND_LOOK_SECONDS, 1.0]
        watch.close()

    asyncio.run(scenario())
    assert delivered == ["new!"]
