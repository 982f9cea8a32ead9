"""A long-running program under test: started inside a namespace, its output kept in a file, ended for certain.

Readiness is the caller's business (it asks the program); a program that ends while somebody waits for it is reported
at once together with the last lines it wrote.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.lab.netns import ENVIRONMENT, Namespace
from tests.lab.waiting import PATIENCE_SECONDS, wait_until

STOP_SECONDS = 60.0
LAST_LINES = 25
_FIRST = -15


class Process:
    """One program with its log; starting it again appends to the same log."""

    def __init__(
        self,
        namespace: Namespace,
        command: list[str],
        log: Path,
        environment: Mapping[str, str] = ENVIRONMENT,
        folder: Path | None = None,
    ) -> None:
        self.namespace = namespace
        self.log = log
        self._command = command
        self._environment = environment
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The program's process ID while it runs; RuntimeError otherwise."""
        if self._child is None:
            raise RuntimeError(f"{self._command[0]} is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(
        self, ready: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS, *, may_end: bool = False
    ) -> None:
        """Start the program and return when `ready` says so; AssertionError with its last words when it ends before
        that, or is not ready within `patience_seconds`. `may_end`: it may have been ready and over since.
        """
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self.namespace.command(*self._command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        pass_priority_on(self._child.pid)
        try:
            what = f"{self._command[0]} to answer, its log is {self.log}"
            wait_until(lambda: (may_end and ready()) or (self._alive() and ready()), what, patience_seconds)
        except BaseException:
            self.kill()
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and to the processes it started."""
        os.killpg(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM to the program alone, as an init system would, without waiting for its end."""
        if self._child:
            self._child.terminate()

    def wait(self) -> int:
        """Wait for the program's end; returns its exit status (negative: killed by that signal)."""
        if self._child is None:
            return 0
        try:
            return self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self._command[0]} does not end\n{self.last_words()}") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the program and everything it started; nothing happens when it is not running."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def output(self) -> str:
        """Everything the program wrote so far, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def last_words(self) -> str:
        """The end of its log, for messages."""
        return "\n".join(self.output().splitlines()[-LAST_LINES:])

    def _alive(self) -> bool:
        status = self._child.poll() if self._child else None
        if status is not None:
            raise AssertionError(f"{self._command[0]} ended with status {status}:\n{self.last_words()}")
        return True


@contextlib.contextmanager
def first_in_line() -> Iterator[None]:
    """What is started in the block comes before other programs of the machine. Needs root.

    For measurements of all that a node does at once: the lab then has the machine for itself as far as that goes.
    """
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


def pass_priority_on(pid: int) -> None:
    """Where the kernel gives each session an equal share (sched(7), autogroup), priority counts only within it: let the
    program's session have ours.
    """
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    if priority == _FIRST:
        with contextlib.suppress(OSError):
            Path("/proc", str(pid), "autogroup").write_text(str(priority))
