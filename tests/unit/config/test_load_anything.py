"""Whatever is in the file: a Config or a ConfigError comes out, nothing else."""

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resolver.config import Config, ConfigError, load
from resolver.config.document import complete_example
from resolver.config.schema import CONFIG
from resolver.config.shape import ListOf, Section


def key_names(section: Section) -> set[str]:
    names = {key.name for key in section.keys}
    for key in section.keys:
        inner = key.value.item if isinstance(key.value, ListOf) else key.value
        names |= key_names(inner) if isinstance(inner, Section) else set()
    return names


KEYS = st.sampled_from(sorted(key_names(CONFIG)))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.binary(max_size=8)
    | st.text(max_size=20)
    | st.sampled_from(
        ["tcp", "tls", "300ms", "5s", "16Mi", "10.0.0.0/8", "127.0.0.1", "::1", "[::1]:53", "1.1.1.1#a.b", "."]
    )
)
ANY_KEY = KEYS | st.text(max_size=5) | st.integers() | st.none() | st.booleans()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_KEY, inner, max_size=4), max_leaves=20
)


def outcome(text: str) -> Config | ConfigError:
    try:
        return load(text, "f")
    except ConfigError as error:
        found = error
    assert found.problems
    assert len(str(found).split("\n")) == len(found.problems)
    return found


@given(VALUES | st.fixed_dictionaries({}, optional={key.name: VALUES for key in CONFIG.keys}))
def test_any_value_is_a_configuration_or_a_list_of_mistakes(value: Any) -> None:
    assert isinstance(outcome(yaml.safe_dump(value)), Config | ConfigError)


@given(st.text() | st.text(alphabet="[]{}:,-&*!<>|%?#\"' \n\tab1.=~_", max_size=60))
def test_any_text_is_a_configuration_or_a_list_of_mistakes(text: str) -> None:
    assert isinstance(outcome(text), Config | ConfigError)


@given(st.data())
def test_any_damage_to_a_good_file_is_survived(data: st.DataObject) -> None:
    good = complete_example()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 40)))
    assert isinstance(outcome(good[:start] + data.draw(st.text(max_size=5)) + good[end:]), Config | ConfigError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 10_000, "f: not usable: nested too deeply"),
        ("- " * 10_000, "f: not usable: nested too deeply"),
        ("{a: " * 65 + "1" + "}" * 65, "f: not usable: nested too deeply"),
        (
            "a: &a {"
            + ", ".join(f"k{number}: 1" for number in range(40))
            + "}\n"
            + "".join(
                f"{name}: &{name} {{<<: [{', '.join(['*' + last] * 40)}]}}\n" for last, name in pairwise("abcdef")
            ),
            "f: line 2, column 8: not YAML: too many keys are merged",
        ),
        ("a: [\nb: }", "f: line 2, column 4: not YAML: expected the node content, but found '}'"),
        ("a: b: c", "f: line 1, column 5: not YAML: mapping values are not allowed here"),
        ("a: *b", "f: line 1, column 4: not YAML: found undefined alias 'b'"),
        ("a: 1\n---\nb: 1", "f: line 2, column 1: not YAML: but found another document"),
        ("? {a: b}\n: c", "f: line 1, column 3: not YAML: found unhashable key"),
        ("a: !foo b", "f: line 1, column 4: not YAML: could not determine a constructor for the tag '!foo'"),
        ("a: !!int x", "f: not YAML: invalid literal for int() with base 10: 'x'"),
        ("a: !!int ''", "f: not YAML: string index out of range"),
        ("a: !!bool x", "f: not YAML: 'x'"),
        ("a: \0", "f: not YAML: special characters are not allowed at character 3"),
        ("&a [*a]", "f: expected a mapping, got a list"),
        ("log: &a {level: *a}", "f: log.level: expected one of debug, info, warning, error, got a mapping"),
        ("listen: {port: 0x" + "f" * 5000 + "}", "f: listen.port: expected a port from 1 to 65535, got a huge number"),
    ],
)
def test_text_that_is_not_usable_yaml_is_one_mistake(text: str, expected: str) -> None:
    assert str(outcome(text)) == expected
