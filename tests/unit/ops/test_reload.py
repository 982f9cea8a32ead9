"""Which changes of the file are taken over, and what is said about those that are not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from resolver.config import Config, load
from resolver.ops import reload
from resolver.ops.reload import Reload

FIRST = "cache: {size: 1Mi}\n"
SECOND = "cache: {size: 2Mi}\n"
THIRD = "cache: {size: 3Mi}\nlisten: {workers: 2}\n"
MIB = 1024 * 1024


class Reloaded:
    """A Reload whose `apply` raises the `problems` it is given, one after the other, and then takes over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(FIRST)
        self.sizes: list[int] = []
        self.tries = 0
        self.tried = asyncio.Event()
        self.problems: list[Exception] = []
        self.reload = Reload(str(path), FIRST, load(FIRST, str(path)), self._apply)

    def changed(self, text: str | None) -> None:
        """SIGHUP after the file was rewritten; None: removed."""
        if text is None:
            self.path.unlink()
        else:
            self.path.write_text(text)
        self.reload.now()

    async def until_tried(self, times: int) -> None:
        """Return when `apply` was called so often."""
        async with asyncio.timeout(10):
            while self.tries < times:
                self.tried.clear()
                await self.tried.wait()

    def _apply(self, config: Config) -> None:
        self.tries += 1
        self.tried.set()
        if self.problems:
            raise self.problems.pop(0)
        self.sizes.append(config.cache.size_bytes // MIB)


def reloaded(path: Path, claim: Callable[[Reloaded], Awaitable[None]]) -> None:
    async def run() -> None:
        scene = Reloaded(path / "resolver.yaml")
        try:
            await claim(scene)
        finally:
            scene.reload.close()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "RETRY_SECONDS", 0.0)


async def turns() -> None:
    """Let the loop call all that is due now."""
    for _ in range(5):
        await asyncio.sleep(0)


def said(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    return [str(each[word]) for each in fields if word in each]


def test_a_valid_file_is_taken_over_and_keys_that_nothing_serves_yet_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def claim(scene: Reloaded) -> None:
        scene.changed(SECOND)
        scene.changed(THIRD)
        assert scene.sizes == [2, 3]
        assert scene.reload.results == {"success": 2, "failure": 0}
        assert scene.reload.config.cache.size_bytes == 3 * MIB
        scene.changed(THIRD + "log: {level: debug}\n")

    reloaded(tmp_path, claim)
    assert said(caplog, "key") == ["listen.workers"]


def test_keys_that_wait_for_a_restart_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "restart_needed", lambda _old, _new: ("listen.workers", "node.user"))

    async def claim(scene: Reloaded) -> None:
        scene.changed(SECOND)

    reloaded(tmp_path, claim)
    assert said(caplog, "keys") == ["listen.workers, node.user"]


@pytest.mark.parametrize("text", ["cache: {size: none}\ncolour: red\n", None])
def test_an_invalid_or_missing_file_changes_nothing_and_every_problem_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    async def claim(scene: Reloaded) -> None:
        scene.changed(text)
        assert scene.sizes == []
        assert not scene.reload.successful
        assert scene.reload.results == {"success": 0, "failure": 1}
        scene.changed(SECOND)
        assert scene.reload.successful

    reloaded(tmp_path, claim)
    problems = said(caplog, "problem")
    assert len(problems) == (1 if text is None else 2)
    assert all(problem.startswith(f"{tmp_path}/resolver.yaml: ") for problem in problems)


def test_what_cannot_be_taken_over_yet_is_tried_again_until_it_can_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def claim(scene: Reloaded) -> None:
        scene.problems = [OSError("not assigned")] * 3
        scene.changed(SECOND)
        assert (scene.sizes, scene.reload.successful) == ([], False)
        await scene.until_tried(4)
        assert (scene.sizes, scene.reload.successful) == ([2], True)
        assert scene.reload.results == {"success": 1, "failure": 1}

    reloaded(tmp_path, claim)
    assert said(caplog, "problem") == ["not assigned"]


@pytest.mark.parametrize("next_text", [THIRD, "colour: red\n", None])
def test_a_file_that_changes_meanwhile_ends_the_tries_for_the_one_before(tmp_path: Path, next_text: str | None) -> None:
    async def claim(scene: Reloaded) -> None:
        scene.problems = [OSError("not assigned")]
        scene.changed(SECOND)
        scene.changed(next_text)
        await turns()
        assert scene.sizes == ([3] if next_text == THIRD else [])

    reloaded(tmp_path, claim)


def test_a_defect_while_taking_over_is_not_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def claim(scene: Reloaded) -> None:
        scene.problems = [RuntimeError("a defect")]
        scene.changed(SECOND)
        await turns()
        assert (scene.tries, scene.reload.successful) == (1, False)

    reloaded(tmp_path, claim)
    assert said(caplog, "problem") == ["a defect"]
