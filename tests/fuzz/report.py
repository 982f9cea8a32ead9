"""What a run of a door came to, and the table of the recorded ones on the page (docs/robustness.md)."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from tests.fuzz.targets import FOLDER, READ_BY, SAYS

RECORDED: Final = FOLDER / "recorded.json"
PAGE: Final = FOLDER.parents[1] / "docs" / "robustness.md"
BEGIN: Final = "<!-- fuzz: written by `python -m tests.fuzz --document` -->"
END: Final = "<!-- fuzz: end -->"


class Run(NamedTuple):
    """One door."""

    door: str
    executions: int
    seconds: int
    edges: int
    """Of the byte code's branches, of both programs, that the fuzzer has seen taken."""
    reached: float
    """The share of lines and branches of the modules that read this door's bytes (`READ_BY`), by the kept inputs."""
    fixed: int
    """Kept inputs that once broke it."""
    broken: bool


def read_output(text: str) -> tuple[int, int]:
    """(executions, edges) of what libFuzzer has printed."""
    executions = re.findall(r"^stat::number_of_executed_units: (\d+)", text, re.MULTILINE)
    edges = re.findall(r"\bcov: (\d+)", text)
    return int(executions[-1]) if executions else 0, int(edges[-1]) if edges else 0


def branches_reached(name: str) -> float:
    """Measured by replaying the kept inputs in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        data, result = f"--data-file={folder}/data", f"{folder}/result.json"
        tool = [sys.executable, "-m", "coverage"]
        include = f"--include={','.join(READ_BY[name])}"
        settings = f"--rcfile={folder}/none"
        Path(folder, "none").write_text("[run]\nbranch = true\n")
        replay = ["-m", "tests.fuzz.replay", name]
        subprocess.run([*tool, "run", settings, data, include, *replay], check=True, capture_output=True)
        subprocess.run([*tool, "json", settings, data, "-o", result], check=True, capture_output=True)
        return round(float(json.loads(Path(result).read_text())["totals"]["percent_covered"]), 1)


def table(runs: list[Run]) -> str:
    """The runs as a table of Markdown."""
    lines = [
        "| door | what is read | executions | minutes | edges | lines and branches reached | found and fixed |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        reached = f"{run.reached:.0f} %" if run.reached else "not measured"
        found = "**broken**" if run.broken else str(run.fixed)
        minutes = f"{run.seconds / 60:.1f}".removesuffix(".0")
        lines.append(
            f"| {run.door} | {SAYS[run.door]} | {run.executions:,} | {minutes} | {run.edges:,} | {reached} | {found} |"
        )
    return "\n".join(lines) + "\n"


def rewrite(page: str, text: str) -> str:
    """The page with this text between the two marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{text}{END}{tail}"
