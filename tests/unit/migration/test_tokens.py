"""The words of a Corefile, as CoreDNS's lexer makes them."""

import pytest

from resolver.migration.tokens import CorefileError, read_tokens


def words(text: str) -> list[str]:
    return [token.text for token in read_tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\tc\n d", ["a", "b", "c", "d"]),
        ("", []),
        ("\ufeffa", ["a"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ('log "{remote} said"', ["log", "{remote} said"]),
        ('"a \\"quoted\\" word" "back\\slash" "\\\\"', ['a "quoted" word', "back\\slash", "\\\\"]),
        ('in"side', ['in"side']),
        ('""', [""]),
        ("# a comment\na # another\nb", ["a", "b"]),
        ("cache 30#seconds of it\nlog", ["cache", "30", "of", "it", "log"]),  # CoreDNS's own oddity
        ('"#no comment"', ["#no comment"]),
    ],
)
def test_words_end_where_coredns_ends_them(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_each_word_knows_its_place_and_whether_it_begins_a_line() -> None:
    found = [(token.text, token.line, token.column, token.first) for token in read_tokens('a b {\n\n  "c\nd" e\n}')]
    assert found == [
        ("a", 1, 1, True),
        ("b", 1, 3, False),
        ("{", 1, 5, False),
        ("c\nd", 3, 3, True),
        ("e", 4, 4, False),
        ("}", 5, 1, True),
    ]


def test_a_quote_without_its_end_is_named_with_its_place() -> None:
    with pytest.raises(CorefileError, match="no end") as caught:
        read_tokens('a\n  log "open\n')
    assert (caught.value.line, caught.value.column) == (2, 7)
