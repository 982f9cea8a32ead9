"""docs/configuration.md is what the table says, and what it shows can be loaded."""

import re
from pathlib import Path
from typing import Any

import yaml

from resolver.config import Config, Upstream, load
from resolver.config.document import complete_example, document
from resolver.config.schema import CONFIG, ZONE
from resolver.config.shape import Key, ListOf, Section
from resolver.config.values import Zone

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def leaves(section: Section, default: Any) -> list[tuple[Key, Any]]:
    """Every key that holds no section, with the default of its field."""
    found: list[tuple[Key, Any]] = []
    for key in section.keys:
        if isinstance(key.value, Section):
            found += leaves(key.value, getattr(default, key.field))
        elif key.value != ListOf(ZONE):
            found.append((key, getattr(default, key.field)))
    return found


ALL_LEAVES = leaves(CONFIG, Config()) + leaves(ZONE, Zone(("a",), (Upstream("192.0.2.1"),)))


def parse(key: Key, text: str) -> Any:
    value = yaml.safe_load(text)
    if isinstance(key.value, ListOf):
        assert not isinstance(key.value.item, Section)
        return tuple(key.value.item.parse(item) for item in value)
    assert not isinstance(key.value, Section)
    return key.value.parse(value)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == document(), "run: python -m resolver.config.document > docs/configuration.md"


def test_the_complete_example_shows_every_key_and_is_the_defaults() -> None:
    example = complete_example()
    assert load(example, "f") == Config()
    for key, _ in ALL_LEAVES:
        assert re.search(rf"^ +{key.name}: ", example, re.MULTILINE), key.name


def test_every_example_on_the_page_loads() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        assert load(example, "f").zones


def test_documented_defaults_are_those_of_the_values() -> None:
    for key, default in ALL_LEAVES:
        assert key.default is None or parse(key, key.default) == default, key.name


def test_example_of_each_key_is_valid() -> None:
    for key, _ in ALL_LEAVES:
        assert key.example == "" or parse(key, key.example) is not None, key.name


def test_every_field_has_a_key() -> None:
    topics = [getattr(Config(), topic) for topic in Config._fields if topic != "zones"]
    rows = [key.field for key, _ in leaves(CONFIG, Config())]
    assert sorted(rows) == sorted(field for topic in topics for field in topic._fields)
    assert [key.field for key in ZONE.keys] == list(Zone._fields)
