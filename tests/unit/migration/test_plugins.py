"""A verdict for every plugin of CoreDNS, and none that is passed over."""

import re
from pathlib import Path

import pytest

from resolver.migration import Grade
from resolver.migration.caddyfile import Directive
from resolver.migration.plugins import IN_NODE_CACHE, PLUGINS, READ, judge
from resolver.migration.tokens import Token
from tests.unit.migration.conversions import BLOCK, converted, grades, told

DOCS = Path(__file__).parents[3] / "docs" / "migration.md"


@pytest.mark.parametrize("plugin", sorted(set(IN_NODE_CACHE) - set(READ)))
def test_every_plugin_of_nodelocal_dnscache_has_a_verdict(plugin: str) -> None:
    assert plugin in PLUGINS
    arguments = " x" if plugin == "import" else ""
    ((lines, grade, message),) = told(BLOCK.format(plugin + arguments), plugin + arguments)
    assert lines == (4,)
    assert (grade, message) == judge(Directive(Token(plugin, 4, 1)))


@pytest.mark.parametrize("plugin", READ)
def test_the_others_are_read(plugin: str) -> None:
    assert plugin not in PLUGINS


def test_a_plugin_that_nobody_knows_is_left_out() -> None:
    assert grades(BLOCK.format("dynamicforward x"), "dynamicforward") == [Grade.LEFT_OUT]


@pytest.mark.parametrize(
    ("directive", "grade"),
    [
        ("bufsize", Grade.NOTE),
        ("bufsize 1232", Grade.NOTE),
        ("bufsize 512", Grade.CHANGED),
        ("loadbalance", Grade.NOTE),
        ("loadbalance round_robin", Grade.NOTE),
        ("loadbalance weighted weights.txt", Grade.LEFT_OUT),
        ("loadbalance round_robin {\n prefer 10.0.0.0/8\n}", Grade.LEFT_OUT),
        ("errors {\n consolidate 5m .*\n}", Grade.NOTE),
        ("reload 30s 15s", Grade.NOTE),
        ("import custom/*.override", Grade.LEFT_OUT),
        ("template ANY HINFO . {\n rcode NXDOMAIN\n}", Grade.NOTE),
    ],
)
def test_arguments_count_where_they_matter(directive: str, grade: Grade) -> None:
    (remark,) = [each for each in converted(BLOCK.format(directive)).remarks if each.lines[0] == 4]
    assert remark.grade is grade


def test_hosts_says_which_names_are_to_go_elsewhere() -> None:
    text = BLOCK.format("hosts {\n 10.0.0.1 b.example a.example\n 10.0.0.2 c.example\n ttl 60\n fallthrough\n}")
    ((_, grade, message),) = told(text, "hosts")
    assert grade is Grade.LEFT_OUT
    assert "(a.example, b.example, c.example)" in message
    ((_, _, message),) = told(BLOCK.format("hosts /etc/hosts"), "hosts")
    assert "(" not in message


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("template IN AAAA {\n rcode NOERROR\n}", "AAAA questions are asked like others"),
        ('template IN AAAA {\n answer "{{ .Name }} 60 IN AAAA ::1"\n}', "no answers are made up"),
        ("template ANY ANY corp.example {\n rcode NXDOMAIN\n}", "no answers are made up"),
        ("template IN AAAA {\n rcode NXDOMAIN\n}", "no answers are made up"),
    ],
)
def test_the_usual_template_against_ipv6_is_recognised(directive: str, words: str) -> None:
    ((_, grade, message),) = told(BLOCK.format(directive), "template")
    assert grade is Grade.LEFT_OUT
    assert words in message


def test_what_is_left_out_says_what_to_do_or_why_nothing_is_to_be_done() -> None:
    for name in PLUGINS:
        grade, message = judge(Directive(Token(name, 1, 1)))
        assert len(message.split()) >= 3, name
        assert grade is not Grade.CHANGED or message, name


def test_the_same_sentence_about_several_lines_is_said_once() -> None:
    one = "{} {{\n bind 169.254.20.10\n forward . 192.0.2.1\n reload\n}}\n"
    (remark,) = [
        each
        for each in converted("".join(map(one.format, ("a.example", "b.example", ".")))).remarks
        if each.subject == "reload"
    ]
    assert remark.lines == (4, 9, 14)
    assert str(remark).startswith("Corefile:4: reload: note: ")
    assert str(remark).endswith(" (also lines 9, 14)")


@pytest.mark.parametrize("plugin", sorted({*PLUGINS, *READ}))
def test_the_page_about_migration_has_the_verdict(plugin: str) -> None:
    (row,) = re.findall(rf"^\| `{plugin}` \|(.*)\|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    if plugin in PLUGINS:
        grade, message = judge(Directive(Token(plugin, 1, 1)))
        assert row.strip() == f"{grade} | {message}"
