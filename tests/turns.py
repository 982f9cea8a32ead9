"""Which tests run beside each other (`pytest -n`), and in which order.

A file's tests stay together in one worker, so that what a module sets up is set up once, and so do those of a folder
whose files share what is dear to start. What takes long comes first, so that no worker ends long after the others. A
test marked `serial` has the machine for itself, as far as this run goes: it waits until the tests that run have ended,
and none begins before it is over.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

SERIAL = "serial"
LONG = ("e2e", "integration", "image", "test_references.py")
"""Folders whose files take longest, longest first, and one such file; all others come after them, and serial ones at
the very end. Of several the last one counts: the image of e2e/image may still be being made (`.ci/run`)."""

TOGETHER = ("tests/e2e/chart/",)
"""Folders with a fixture of the session that takes long: one worker has it."""


class Files(LoadFileScheduling):  # type: ignore[misc]  # see pyproject.toml
    """Hands out files, or whole folders, to the workers that are free."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next(filter(nodeid.startswith, TOGETHER), None)
        return folder or str(super()._split_scope(nodeid))


def order(items: list[pytest.Item]) -> None:
    """Sort; what stands together stays together."""
    alone = {item.path for item in items if item.get_closest_marker(SERIAL)}

    def place(item: pytest.Item) -> tuple[bool, int]:
        folders = [number for number, folder in enumerate(LONG) if folder in item.path.parts]
        return item.path in alone, max(folders, default=len(LONG))

    items.sort(key=place)


class Turns:
    """One worker's view of what all workers of a run share, two files in `folder`.

    Who wants to be alone shuts the door and waits for the room to be empty: nobody else can enter meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._door = (folder / "door").open("w")
        self._room = (folder / "room").open("w")

    @contextlib.contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """In the room for the block."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the files back."""
        self._door.close()
        self._room.close()
