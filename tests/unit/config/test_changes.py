"""What of a configuration is not done, and is said to be."""

from dataclasses import replace

import pytest

from resolver.config import Config, changes, load, restart_needed, without_effect
from resolver.config.schema import CONFIG
from resolver.config.shape import Section

USED = "listen: {workers: 2, port: 54}\nnode: {user: nobody, notrack: true}\nlog: {level: debug}\n"


def available(section: Section) -> Section:
    """The table as it is once this version does everything."""
    keys = [
        replace(key, value=available(key.value)) if isinstance(key.value, Section) else replace(key, not_yet="")
        for key in section.keys
    ]
    return replace(section, keys=tuple(keys))


def test_keys_that_nothing_serves_yet_are_named_with_what_holds_instead() -> None:
    assert [str(problem) for problem in without_effect(load(USED, "f"))] == [
        "node.notrack: not available in this version, no rules are made",
    ]


def test_keys_at_their_defaults_ask_for_nothing() -> None:
    assert without_effect(Config()) == ()
    assert without_effect(load("node: {interface: nodelocaldns}\nlog: {level: debug}", "f")) == ()


def test_a_restart_does_not_help_where_nothing_serves_the_key() -> None:
    assert restart_needed(Config(), load(USED, "f")) == ("listen.workers", "node.user")


def test_restart_is_needed_for_what_the_process_starts_with_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "CONFIG", available(CONFIG))
    old, new = Config(), load(USED, "f")
    assert restart_needed(old, new) == ("listen.workers", "node.notrack", "node.user")
    assert restart_needed(new, new) == ()
