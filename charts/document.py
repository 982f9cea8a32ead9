"""What of the chart is written by a program: the schema, the README's table of values, policies and guard.

`python -m charts.document` writes them; a test fails while they differ. helm-docs and its relatives write one or the
other, and are Go programs; here a comment is documentation, row of the table and description in the schema.
"""

import json
import re
from pathlib import Path
from typing import Final

from charts.policies import guard_template, policy_template
from charts.schema import FORMS
from charts.values import Value, read, schema, walk

CHART: Final = Path(__file__).parent / "nodelocaldns"
TITLE: Final = "Values of the chart nodelocaldns"
BEGIN: Final = "<!-- values: written by `python -m charts.document` -->"
END: Final = "<!-- end of values -->"


def documents() -> dict[Path, str]:
    """The files, and what they have to say."""
    values = read((CHART / "values.yaml").read_text(encoding="utf-8"), FORMS)
    readme = CHART / "README.md"
    written = re.sub(
        re.escape(BEGIN) + ".*" + re.escape(END),
        lambda _: f"{BEGIN}\n\n{table(values)}\n{END}",
        readme.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    injection = CHART / "templates" / "injection"
    return {
        CHART / "values.schema.json": schema(values, TITLE),
        readme: written,
        injection / "policy.yaml": policy_template(),
        injection / "guard.yaml": guard_template(),
    }


def table(values: tuple[Value, ...]) -> str:
    """A table per topic; single keys at the top share the first one."""
    single = tuple(value for value in values if not value.keys)
    parts = [_rows("### At the top", "", single)]
    parts += [_rows(f"### {value.name}", value.meaning, value.keys) for value in values if value.keys]
    return "\n".join(parts)


def _rows(heading: str, meaning: str, values: tuple[Value, ...]) -> str:
    lines = [heading, "", *([meaning, ""] if meaning else []), "| value | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{value.path}` | {'' if value.keys else f'`{json.dumps(value.default)}`'} | {_cell(value.meaning)} |"
        for value in walk(values)
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for path, content in documents().items():
        path.write_text(content, encoding="utf-8")
