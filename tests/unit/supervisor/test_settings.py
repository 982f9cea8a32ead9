"""Reading the configuration in a process of its own gives what reading it here does."""

import os

import pytest

from resolver.config import ConfigError, load
from resolver.config.plain import from_plain
from resolver.supervisor import settings
from resolver.supervisor.settings import read_apart


@pytest.mark.parametrize(
    "text",
    [
        "",
        "listen: {workers: 3, allowedClients: [10.0.0.0/8, fd00::/8]}",
        "zones: [{names: [.], upstreams: ['[::1]:5353#name', /etc/resolv.conf], transport: tls, policy: random}]",
        "log: {format: text, level: debug, queries: true}\ncache: {prefetch: false}\nnode: {user: nobody}",
        "# nothing\n",
    ],
)
def test_a_right_file_gives_the_same_configuration_twice_over(text: str) -> None:
    reading = read_apart(text, "f")
    assert reading.config == load(text, "f")
    assert from_plain(reading.plain) == reading.config


@pytest.mark.parametrize("text", ["listen: {port: none}\ncolour: red", "a: &a [*a]", "1: 2", "{", "[" * 900])
def test_a_wrong_file_gives_the_same_problems(text: str) -> None:
    with pytest.raises(ConfigError) as here:
        load(text, "f")
    with pytest.raises(ConfigError) as apart:
        read_apart(text, "f")
    assert str(apart.value) == str(here.value)


def test_a_reader_that_dies_is_an_error_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_read", lambda _: os._exit(9))
    with pytest.raises(OSError, match="the process that reads it has died"):
        read_apart("", "f")


def test_variables_are_those_of_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_SERVICE_HOST", "10.96.0.11")
    text = 'zones: [{names: ["."], upstreams: [$(UPSTREAM_SERVICE_HOST)]}]'
    assert read_apart(text, "f").config == load(text.replace("$(UPSTREAM_SERVICE_HOST)", "10.96.0.11"), "f")
