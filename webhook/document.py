"""docs/webhook-configuration.md, printed from the table of schema.py.

`python -m webhook.document > docs/webhook-configuration.md` writes it anew; a test fails while the two differ.
"""

import sys

from resolver.config.document import annotated, table_of
from resolver.config.shape import Section
from webhook.schema import CONFIG

_HEAD = """\
# Configuration of the webhook

<!-- Printed from webhook/schema.py by `python -m webhook.document`; a test compares the two. -->

`nodelocaldns-webhook --config FILE` reads one YAML file, by custom `webhook.yaml`. Every key has a default, so that an
empty file is a valid configuration. `--check` validates the file and exits with 0, or with 2 after one line for each
mistake:

    webhook.yaml: dns.ndots: expected a number from 0 to 15, got '2'

A key that is not listed here is a mistake, and so are a key written twice and a value of another type. Durations are
texts with a unit: `300ms`, `2s`, `5m`. The file is read when the webhook starts; what the webhook does and why, and the
annotations of pods, are in [the webhook's own page](webhook.md).
"""


def document() -> str:
    """The whole page."""
    parts = [_HEAD]
    parts += [
        "\n".join([f"## {key.name}\n", key.value.meaning, "", *table_of(key.value), ""])
        for key in CONFIG.keys
        if isinstance(key.value, Section)
    ]
    parts.append("## All keys, with their defaults\n\n```yaml\n" + complete_example() + "```\n")
    return "\n".join(parts)


def complete_example() -> str:
    """A webhook.yaml with every key, its meaning and its default; loading it gives the defaults."""
    lines: list[str] = []
    for key in CONFIG.keys:
        lines += [f"# {key.meaning}", f"{key.name}:"]
        if isinstance(key.value, Section):
            lines += [f"  {line}" for row in key.value.keys for line in annotated(row, row.default)]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
