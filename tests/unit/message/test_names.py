"""Names as people write them and as the wire has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.message import names

LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=8)


def wire(labels: list[bytes]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


@given(LABELS.map(wire).filter(lambda name: len(name) <= 255))
def test_a_name_survives_being_written_and_read_again(name: bytes) -> None:
    assert names.to_wire(names.to_text(name)) == name.lower()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".", b"\0"),
        ("web.shop.", b"\3web\4shop\0"),
        ("WEB.shop", b"\3web\4shop\0"),
        (r"a\.b.", b"\3a.b\0"),
        (r"a\\.", b"\2a\\\0"),
        (r"\065\255.", b"\2a\xff\0"),
    ],
)
def test_a_text_is_read_as_the_master_file_format_says(text: str, name: bytes) -> None:
    assert names.to_wire(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "..",
        ".a",
        "a..b",
        "a" * 64,
        ".".join(["a" * 63] * 4),
        "\\",
        "\\2",
        "\\25",
        "\\256",
        "\\٠٦٥",
        "ü",
        "\\ü",
        "\\2x5",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        names.to_wire(text)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = names.to_wire(text)
    except ValueError:
        return
    assert len(name) <= 255
    assert names.to_wire(names.to_text(name)) == name


def test_suffixes_lead_from_the_name_to_the_root() -> None:
    assert names.suffixes(b"\1a\1b\0") == [b"\1a\1b\0", b"\1b\0", b"\0"]
