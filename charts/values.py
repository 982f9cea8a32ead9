"""values.yaml as a tree: keys with their defaults and the comments above them.

A comment documents the key that follows it, in the same column. A mapping without a form of its own is a group of keys,
each of which has to be documented; everything else is one value.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from charts import forms
from charts.forms import Form


@dataclass(frozen=True, slots=True)
class Value:
    """One key: its path, what the comment says, its default, its form, and the keys below it if it is a group."""

    path: str
    meaning: str
    default: Any
    form: Form
    keys: "tuple[Value, ...]" = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def read(text: str, known: Mapping[str, Form]) -> tuple[Value, ...]:
    """The keys of values.yaml; ValueError for a key without a comment, or a form without a key."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("values.yaml is no mapping")  # noqa: TRY004 - one exception for whatever is wrong with the file
    values = tuple(_keys(root, "", text.split("\n"), known))
    unused = set(known) - {value.path for value in walk(values)}
    if unused:
        raise ValueError(f"values.yaml has no key {', '.join(sorted(unused))}")
    return values


def walk(values: tuple[Value, ...]) -> Iterator[Value]:
    """All keys, groups before what is in them."""
    for value in values:
        yield value
        yield from walk(value.keys)


def _keys(node: yaml.MappingNode, above: str, lines: list[str], known: Mapping[str, Form]) -> Iterator[Value]:
    for key, content in node.value:
        path = f"{above}.{key.value}" if above else key.value
        meaning = _comment(lines, key.start_mark.line, key.start_mark.column)
        if not meaning:
            raise ValueError(f"values.yaml: {path} has no comment")
        default = yaml.safe_load(yaml.serialize(content))
        if path in known:
            yield Value(path, meaning, default, known[path])
        elif isinstance(content, yaml.MappingNode) and content.value:
            below = tuple(_keys(content, path, lines, known))
            yield Value(path, meaning, default, forms.mapping({each.name: _described(each) for each in below}), below)
        elif isinstance(default, bool):
            yield Value(path, meaning, default, forms.BOOLEAN)
        else:
            raise ValueError(f"values.yaml: {path} has no form")


def _comment(lines: list[str], line: int, column: int) -> str:
    beginning = " " * column + "# "
    found: list[str] = []
    while line > 0 and lines[line - 1].startswith(beginning):
        line -= 1
        found.append(lines[line].removeprefix(beginning).strip())
    return " ".join(reversed(found))


def _described(value: Value) -> Form:
    return {"description": value.meaning, **value.form, "default": value.default}


def schema(values: tuple[Value, ...], title: str) -> str:
    """values.schema.json."""
    document: Form = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        **forms.mapping(
            {value.name: _described(value) for value in values}
            | {"global": {"description": "Values of a chart that this one is part of.", "type": "object"}}
        ),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
