"""Blocks, directives, snippets and imports; and every mistake with its line and column."""

import pytest

from resolver.migration.caddyfile import DEEPEST, Directive, parse
from resolver.migration.tokens import CorefileError, read_tokens


def plain(directive: Directive) -> tuple[object, ...]:
    inside = [plain(each) for each in directive.body]
    return (directive.name.text, *directive.words, *([inside] if inside else []))


def blocks(text: str) -> list[tuple[list[str], list[tuple[object, ...]]]]:
    return [
        ([key.text for key in block.keys], [plain(each) for each in block.directives])
        for block in parse(read_tokens(text)).blocks
    ]


def test_a_block_has_zones_and_directives_with_options() -> None:
    text = "a.example:53 b.example {\n  errors\n  cache 30 {\n    success 100 20\n    keepttl\n  }\n}\n. {\n  log\n}"
    assert blocks(text) == [
        (["a.example:53", "b.example"], [("errors",), ("cache", "30", [("success", "100", "20"), ("keepttl",)])]),
        (["."], [("log",)]),
    ]


def test_zones_may_go_on_after_a_comma() -> None:
    assert blocks("a.example,\nb.example, c.example\n{\n log\n}") == [
        (["a.example", "b.example", "c.example"], [("log",)])
    ]


def test_one_block_needs_no_braces() -> None:
    assert blocks(".:53\nforward . 192.0.2.53\nlog") == [([".:53"], [("forward", ".", "192.0.2.53"), ("log",)])]
    assert blocks("example.org") == [(["example.org"], [])]


def test_a_brace_may_stand_below_its_directive() -> None:
    assert blocks(". {\n cache\n {\n  keepttl\n }\n}") == [(["."], [("cache", [("keepttl",)])])]


def test_snippets_are_put_in_where_they_are_imported() -> None:
    text = (
        "(base) {\n errors\n cache {\n  import stale\n }\n}\n(stale) {\n serve_stale 1h\n}\n"
        ". {\n log\n import base\n loop\n}"
    )
    assert blocks(text) == [(["."], [("log",), ("errors",), ("cache", [("serve_stale", "1h")]), ("loop",)])]


def test_a_snippet_may_hold_whole_blocks_and_an_empty_one_nothing() -> None:
    assert blocks("(all) {\n. {\n log\n}\n}\nimport all") == [(["."], [("log",)])]
    assert blocks("(none) {\n}\n. {\n import none\n log\n}") == [(["."], [("log",)])]


def test_imports_of_files_stay_to_be_judged() -> None:
    found = parse(read_tokens("import custom/*.server\n. {\n import more.conf\n cache {\n  import x\n }\n}"))
    assert [plain(each) for each in found.imports] == [("import", "custom/*.server")]
    assert [plain(each) for each in found.blocks[0].directives] == [
        ("import", "more.conf"),
        ("cache", [("import", "x")]),
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (". {\n log\n", (1, 3), "no closing"),
        (". {\n cache {\n  keepttl\n", (2, 8), "braces of cache"),
        ("(a) {\n log\n", (1, 5), "snippet a"),
        ("(a)\n", (1, 1), "needs braces"),
        ("(a) {\n}\n(a) {\n}", (3, 1), "already"),
        (".:53{\n log\n}", (1, 1), "space is missing"),
        ("{\n log\n}", (1, 1), "a zone was expected"),
        ("}\n", (1, 1), "a zone was expected"),
        (". {\n log\n}\n}\n", (4, 1), "a zone was expected"),
        (". {\n log }\n", (2, 6), "line of its own"),
        (".\nlog\n}", (3, 1), "line of its own"),
        (". {\n {\n", (2, 2), "a directive was expected"),
        (". {\n cache {\n {\n", (3, 2), "an option of cache"),
        ("a.example,\n", (1, 1), "after the comma"),
        ("a.example, {\n}", (1, 12), "a zone was expected"),
        ("import\n", (1, 1), "import takes one name"),
        (". {\n import a b\n}", (2, 2), "import takes one name"),
        ("(a) {\n import a\n}\n. {\n import a\n}", (2, 2), "without end"),
        (". {\n" + " a {\n" * (DEEPEST + 2), (DEEPEST + 2, 4), "too deeply"),
    ],
)
def test_a_mistake_is_told_with_line_and_column(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(CorefileError, match=words) as caught:
        parse(read_tokens(text))
    assert (caught.value.line, caught.value.column) == place


def test_snippets_that_double_each_other_come_to_an_end() -> None:
    doubling = "".join(f"(s{n}) {{\n import s{n - 1}\n import s{n - 1}\n}}\n" for n in range(1, 40))
    with pytest.raises(CorefileError, match="without end"):
        parse(read_tokens(f"(s0) {{\n log\n}}\n{doubling}. {{\n import s39\n}}"))
