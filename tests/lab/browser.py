"""A headless Chromium, spoken to over its debugging pipe: messages of JSON, each ended by a zero byte.

Nothing is needed but the program: no driver, no package. A `Page` is told what to load and asked what it shows.
"""

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.waiting import wait_until
from tests.needs import find, missing

PROGRAMS = ("chromium-headless-shell", "chromium")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--remote-debugging-pipe",
)  # fmt: skip
# Chromium reads commands from descriptor 3 and writes to 4.
_AT_THEIR_PLACES = """
import fcntl, os, sys
commands, events = (fcntl.fcntl(int(each), fcntl.F_DUPFD_CLOEXEC, 10) for each in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(events, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

WIDE, NARROW = (1280, 900), (390, 844)
Size = tuple[int, int]


@contextlib.contextmanager
def browser(folder: Path) -> Iterator["Browser"]:
    """A browser with nothing in its memory; skips the test where there is none."""
    program = next((path for name in PROGRAMS if (path := find(name))), None)
    if program is None:
        pytest.skip(str(missing(PROGRAMS[0])))
    ours, its = os.pipe(), os.pipe()
    command = [
        sys.executable, "-Sc", _AT_THEIR_PLACES, str(ours[0]), str(its[1]), str(program), *_OPTIONS,
        f"--user-data-dir={folder / 'profile'}", "about:blank",
    ]  # fmt: skip
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=(ours[0], its[1]), stdout=log, stderr=log)
    os.close(ours[0])
    os.close(its[1])
    try:
        yield Browser(ours[1], its[0])
    finally:
        os.close(ours[1])  # it ends when nobody can command it
        os.close(its[0])
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Browser:
    """Its pages, one after another."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands = commands
        self._events = events
        self._read = b""
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        """What pages said was wrong: errors of scripts, what their policy forbids, what could not be loaded."""

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """What a method of the DevTools protocol gives; raises RuntimeError with its complaint."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(json.dumps(answer["params"]))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    @contextlib.contextmanager
    def page(self, url: str, size: Size = WIDE, *, dark: bool = False) -> Iterator["Page"]:
        """A page of that size, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.call("Log.enable")
        page.call("Runtime.enable")
        page.resize(size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Page.navigate", url=url)
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            some = os.read(self._events, 1 << 16)
            if not some:
                raise RuntimeError("the browser has ended")
            self._read += some
        message, _, self._read = self._read.partition(b"\0")
        return dict(json.loads(message))


class Page:
    """One page in a browser."""

    def __init__(self, owner: Browser, session: str) -> None:
        self._browser = owner
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """See `Browser.call`."""
        return self._browser.call(method, self._session, **parameters)

    def get(self, expression: str) -> Any:
        """The value of an expression of JavaScript, awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def text(self, selector: str) -> str:
        """What can be read in the first element that a selector of CSS finds; empty where there is none."""
        return str(self.get(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def until(self, expression: str) -> None:
        """Wait until that is true."""
        wait_until(lambda: bool(self.get(expression)), expression)

    def type(self, text: str) -> None:
        """Text for the element that has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """A key, by its name and its code: Tab is 9, Enter 13."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                text="\r" if key == "Enter" and kind == "keyDown" else "",
            )  # fmt: skip

    def resize(self, size: Size) -> None:
        """Another width and height, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
        )

    def picture(self, form: str = "png") -> bytes:
        """What it looks like, also what is to be scrolled to; png, or webp, which is a third as large."""
        found = self.call("Page.captureScreenshot", format=form, quality=80, captureBeyondViewport=True)
        return base64.b64decode(found["data"])
