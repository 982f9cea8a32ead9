"""What a program writes to a terminal, and a picture of that: SVG, with the terminal's own colours, by rich."""

import contextlib
import io
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from tests.lab.loopback import REPOSITORY


def shown(arguments: Sequence[str], columns: int, until: str = "") -> str:
    """What `python -m resolver ARGUMENTS` writes to a terminal of that width.

    With `until`, Ctrl-C is pressed once that is there.
    """
    ours, its = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "resolver", *arguments]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=its, stderr=its, stdin=its)
    os.close(its)
    text = b""
    with contextlib.suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # EIO: nobody has its other end
        while some := terminal.read(4096):
            text += some
            if until and until.encode() in text:
                process.send_signal(signal.SIGINT)
                until = ""
    process.wait(10)
    return text.decode().replace("\r\n", "\n")


def picture(title: str, text: str, columns: int) -> str:
    """SVG of a terminal with this title and the text, whose colours are ANSI's. It loads nothing, no font either."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.from_ansi(text), soft_wrap=True)
    drawn = console.export_svg(title=title, unique_id=re.sub(r"\W+", "-", title))
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
