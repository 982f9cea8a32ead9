"""Which changes of the file are taken over, and what is said about those that are not."""

import errno
from pathlib import Path

import pytest

from resolver.config import Config, load
from resolver.ops.reload import Reading, Reload, ReloadState

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
        self.problems: list[Exception] = []
        config = load(FIRST, str(path))
        self.reload = Reload(str(path), FIRST, config, lambda text: Reading(load(text, str(path)), None), self._apply)

    def changed(self, text: str | None) -> None:
        """SIGHUP after the file was rewritten; None: removed."""
        if text is None:
            self.path.unlink()
        else:
            self.path.write_text(text)
        self.reload.now()

    def _apply(self, reading: Reading) -> None:
        self.tries += 1
        if self.problems:
            raise self.problems.pop(0)
        self.sizes.append(reading.config.cache.size_bytes // MIB)


@pytest.fixture
def scene(tmp_path: Path) -> Reloaded:
    return Reloaded(tmp_path / "resolver.yaml")


def said(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    return [str(each[word]) for each in fields if word in each]


def test_a_valid_file_is_taken_over(scene: Reloaded) -> None:
    scene.changed(SECOND)
    scene.changed(THIRD)
    assert scene.sizes == [2, 3]
    assert scene.reload.state.results == {"success": 2, "failure": 0}
    assert scene.reload.config.cache.size_bytes == 3 * MIB


def test_keys_that_wait_for_a_restart_are_named(scene: Reloaded, caplog: pytest.LogCaptureFixture) -> None:
    scene.changed(SECOND)
    scene.changed(THIRD + "node: {user: nobody}\n")
    assert said(caplog, "keys") == ["listen.workers, node.user"]


@pytest.mark.parametrize("text", ["cache: {size: none}\ncolour: red\n", None])
def test_an_invalid_or_missing_file_changes_nothing_and_every_problem_is_said(
    scene: Reloaded, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    scene.changed(text)
    assert scene.sizes == []
    told = scene.reload.state.told()
    assert (told["successful"], told["results"]) == (False, {"success": 0, "failure": 1})
    scene.changed(SECOND)
    assert scene.reload.state.successful
    problems = said(caplog, "problem")
    assert len(problems) == (1 if text is None else 2)
    assert all(problem.startswith(f"{scene.path}: ") for problem in problems)


def test_what_cannot_be_taken_over_yet_is_tried_again_until_it_can_and_said_once(
    scene: Reloaded, caplog: pytest.LogCaptureFixture
) -> None:
    scene.problems = [OSError("not assigned")] * 3
    scene.changed(SECOND)
    assert (scene.sizes, scene.reload.state.successful) == ([], False)
    for _ in range(4):
        scene.reload.tick()
    assert (scene.tries, scene.sizes, scene.reload.state.successful) == (4, [2], True)
    assert scene.reload.state.results == {"success": 1, "failure": 1}
    assert said(caplog, "problem") == ["not assigned"]


@pytest.mark.parametrize("next_text", [THIRD, "colour: red\n", None])
def test_a_file_that_changes_meanwhile_ends_the_tries_for_the_one_before(
    scene: Reloaded, next_text: str | None
) -> None:
    scene.problems = [OSError("not assigned")]
    scene.changed(SECOND)
    scene.changed(next_text)
    scene.reload.tick()
    assert scene.sizes == ([3] if next_text == THIRD else [])


def test_a_file_that_changes_by_itself_is_taken_over_at_the_second_look(scene: Reloaded) -> None:
    scene.reload.tick()
    scene.path.write_text(SECOND)
    scene.reload.tick()
    scene.reload.tick()
    assert scene.sizes == [2]


def test_a_defect_while_taking_over_is_not_tried_again(scene: Reloaded, caplog: pytest.LogCaptureFixture) -> None:
    scene.problems = [RuntimeError("a defect")]
    scene.changed(SECOND)
    scene.reload.tick()
    assert (scene.tries, scene.reload.state.successful) == (1, False)
    assert said(caplog, "problem") == ["a defect"]


def test_a_file_that_cannot_be_read_for_want_of_processes_counts_as_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def read(_: str) -> Reading:
        raise OSError(errno.EAGAIN, "no more processes")

    path = tmp_path / "resolver.yaml"
    path.write_text(SECOND)
    counted: list[bool] = []
    refused = Reload(str(path), FIRST, Config(), read, lambda _: None, lambda: counted.append(refused.state.successful))
    refused.now()
    assert counted == [False]
    assert said(caplog, "problem") == ["no more processes"]


def test_what_one_process_tells_another_one_knows() -> None:
    told, heard = ReloadState(), ReloadState()
    told.count(successful=False)
    heard.learn(told.told())
    assert heard.told() == told.told()
