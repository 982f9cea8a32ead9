"""Converting in tests: short ways to ask for it and to read what came of it."""

from typing import Any

import yaml

from resolver.config import Config, load
from resolver.migration import Conversion, Grade, convert

FILE = "Corefile"
BLOCK = ".:53 {{\n    bind 169.254.20.10\n    forward . 192.0.2.53\n{}\n}}\n"
"""A Corefile with room for further directives, from line 4 on."""


def converted(text: str, **values: str) -> Conversion:
    """What `text` becomes."""
    return convert(text, FILE, values)


def config_of(text: str, **values: str) -> Config:
    """The configuration that it becomes, read."""
    return load(converted(text, **values).text, FILE)


def document_of(text: str, **values: str) -> dict[str, Any]:
    """The keys that were written, as they were written."""
    found: dict[str, Any] = yaml.safe_load(converted(text, **values).text)
    return found


def zone_of(text: str, name: str = ".") -> dict[str, Any]:
    """The zone with this name, as it was written."""
    found: dict[str, Any] = next(zone for zone in document_of(text)["zones"] if name in zone["names"])
    return found


def told(text: str, subject: str, **values: str) -> list[tuple[tuple[int, ...], Grade, str]]:
    """What was said about a subject."""
    return [
        (each.lines, each.grade, each.message) for each in converted(text, **values).remarks if each.subject == subject
    ]


def grades(text: str, subject: str) -> list[Grade]:
    """How grave that was."""
    return [grade for _, grade, _ in told(text, subject)]
