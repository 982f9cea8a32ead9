"""docs/configuration.md, printed from the table of schema.py.

`python -m resolver.config.document > docs/configuration.md` writes it anew; a test fails while the two differ.
"""

import sys
import textwrap
from collections.abc import Iterator

from resolver.config.quantities import Check
from resolver.config.schema import CONFIG, ZONE
from resolver.config.shape import Key, ListOf, Section

_HEAD = """\
# Configuration

<!-- Printed from resolver/config/schema.py by `python -m resolver.config.document`; a test compares the two. -->

`nodelocaldns-resolver --config FILE` reads one YAML file, by custom `resolver.yaml`. Every key has a default, so that
an empty file is a valid configuration. `--check` validates the file and exits with 0, or with 2 after one line for each
mistake:

    resolver.yaml: zones[0].maxTTL: expected a number of seconds from 0 to 604800, got '30s'

A key that is not listed here is a mistake, and so are a key written twice and a value of another type. Durations are
texts with a unit, `300ms`, `2s`, `5m` or `1h`; sizes are texts in `Ki`, `Mi` or `Gi`; TTLs are numbers of seconds, as
in DNS. Text that starts with a colon or a bracket, such as `"::1"` and `"[fd00::10]:53"`, needs quotes in YAML.
`$(NAME)` in a text stands for the value of the environment variable NAME, which has to be set: the kubelet tells
containers the addresses of Services in this way, as `KUBE_DNS_UPSTREAM_SERVICE_HOST`.

The file is read again when it changes, also when it is a mounted ConfigMap, and on SIGHUP. A file with a mistake
changes nothing: the running configuration stays, and the log and the metrics say so. A valid one is taken over with
everything that is remembered kept. A change of a key marked "after a restart" is reported and waits for the next start.
"""

_EXAMPLE_HEAD = """\
## All keys, with their defaults

```yaml
"""

_EXAMPLES = """\
## More examples

Questions for the outside world over TLS, with the name that the certificates must carry, and a zone of the company's
own over UDP, asked in turn:

```yaml
zones:
  - names: [cluster.local, in-addr.arpa, ip6.arpa]
    upstreams: [10.96.0.10]
  - names: [corp.example]
    upstreams: [192.0.2.53, 192.0.2.54, "[2001:db8::53]:5353"]
    transport: udp
    policy: roundRobin
  - names: ["."]
    upstreams: ["1.1.1.1#one.one.one.one", "[2606:4700:4700::1111]:853#one.one.one.one"]
    transport: tls
    maxTTL: 300
```
"""


def document() -> str:
    """The whole page."""
    parts = [_HEAD]
    for key in CONFIG.keys:
        section = key.value.item if isinstance(key.value, ListOf) else key.value
        if isinstance(section, Section):
            parts.append("\n".join(_section(key, section)))
    parts.append(_EXAMPLE_HEAD + complete_example() + "```\n")
    parts.append(_EXAMPLES)
    return "\n".join(parts)


def _section(key: Key, section: Section) -> Iterator[str]:
    yield f"## {key.name}\n"
    yield section.meaning
    if section is ZONE:
        yield "The defaults of the keys hold for each zone by itself. Without `zones`, these two are used:\n"
        yield "```yaml"
        yield "zones:"
        yield from _default_zones(with_comments=False)
        yield "```"
    yield ""
    yield from table_of(section)
    yield ""


def table_of(section: Section) -> Iterator[str]:
    """The lines of a table with a row for each key."""
    yield "| key | meaning | value | default | example | a change takes effect |"
    yield "|---|---|---|---|---|---|"
    for row in section.keys:
        cells = (
            f"`{row.name}`",
            row.meaning,
            _kind(row.value),
            "(must be given)" if row.default is None else f"`{row.default}`",
            f"`{row.name}: {row.example or row.default}`",
            "after a restart" if row.restart else "at once",
        )
        yield "| " + " | ".join(cells) + " |"


def _kind(value: "Check[object] | ListOf | Section") -> str:
    match value:
        case Check():
            return value.expected
        case ListOf(item=Check(expected=expected), may_be_empty=may_be_empty):
            return f"a list{', which may be empty,' if may_be_empty else ''} of: {expected}"
    raise TypeError(value)


def complete_example() -> str:
    """A resolver.yaml with every key, its meaning and its default; loading it gives the defaults."""
    lines: list[str] = []
    for key in CONFIG.keys:
        lines.append(f"# {key.meaning}")
        lines.append(f"{key.name}:")
        if isinstance(key.value, Section):
            lines += [f"  {line}" for row in key.value.keys for line in annotated(row, row.default)]
        else:
            lines += _default_zones(with_comments=True)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def annotated(key: Key, value: str | None) -> Iterator[str]:
    """A line of YAML for a key with this value, below its meaning as a comment."""
    yield from textwrap.wrap(key.meaning, 100, initial_indent="# ", subsequent_indent="# ")
    yield f"{key.name}: {value}"


def _default_zones(*, with_comments: bool) -> Iterator[str]:
    """The zones that are used without `zones`; with comments the first one shows every key."""
    if with_comments:
        for position, key in enumerate(ZONE.keys):
            first, *others = annotated(key, key.default or key.example)
            yield f"  {' ' if position else '-'} {first}"
            yield from (f"    {line}" for line in others)
    else:
        yield "  - names: [cluster.local, in-addr.arpa, ip6.arpa]"
        yield "    upstreams: [10.96.0.10]"
    yield '  - names: ["."]'
    yield "    upstreams: [/etc/resolv.conf]"


if __name__ == "__main__":
    sys.stdout.write(document())
