"""What a test measured, for people: a table on the terminal (pytest -s, or after a failure) and a JSON file in
build/reports.

Measurements are reported, not asserted: how long something took says more about the machine than about the code.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "reports"

Row = Mapping[str, str | int | float | None]


def report(name: str, rows: Sequence[Row]) -> None:
    """Print the rows under their keys and write them to build/reports/NAME.json."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
    columns = list(rows[0])
    lines = [columns, *([_shown(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    print(f"\n{name}")
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _shown(value: str | float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
