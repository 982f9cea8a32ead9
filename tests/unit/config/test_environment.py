"""$(NAME) in resolver.yaml stands for an environment variable."""

from pathlib import Path

import pytest

from resolver.__main__ import main
from resolver.config import Config, ConfigError, ResolvConf, Upstream, load
from resolver.config.reading import build

TEXT = """
listen: {addresses: [169.254.20.10, $(DNS_SERVICE_HOST)]}
zones:
  - {names: ["."], upstreams: [$(UPSTREAM), "$(UPSTREAM):5353", "[$(UPSTREAM6)]:54"]}
"""
ENVIRON = {"DNS_SERVICE_HOST": "10.96.0.10", "UPSTREAM": "10.96.0.11", "UPSTREAM6": "fd00::b"}


def test_a_variable_stands_for_a_whole_text_or_a_part_of_it() -> None:
    config = load(TEXT, "f", ENVIRON)
    assert config.listen.addresses == ("169.254.20.10", "10.96.0.10")
    assert config.zones[0].upstreams == (
        Upstream("10.96.0.11", 53, None),
        Upstream("10.96.0.11", 5353, None),
        Upstream("fd00::b", 54, None),
    )


@pytest.mark.parametrize("environ", [None, {}, {**ENVIRON, "UPSTREAM6": ""}])
def test_a_variable_that_is_not_set_is_named_with_its_place(environ: dict[str, str] | None) -> None:
    with pytest.raises(ConfigError) as caught:
        load(TEXT, "resolver.yaml", environ)
    expected = "resolver.yaml: zones[0].upstreams[2]: the environment variable UPSTREAM6 is not set"
    assert expected in str(caught.value).split("\n")


def test_what_a_variable_holds_is_checked_like_what_is_written() -> None:
    with pytest.raises(ConfigError, match=r"zones\[0\]\.upstreams\[0\]: expected address.* got 'tcp://10\.0\.0\.1'"):
        load(TEXT, "f", {**ENVIRON, "UPSTREAM": "tcp://10.0.0.1"})


@pytest.mark.parametrize("text", ["$UPSTREAM", "${UPSTREAM}", "$()", "$(UP STREAM)", "$(UPSTREAM"])
def test_nothing_else_with_a_dollar_is_a_variable(text: str) -> None:
    config = build({"zones": [{"names": ["."], "upstreams": [f"/{text}"]}]}, "f", (), ENVIRON)
    assert isinstance(config, Config)
    assert [str(each.path) for each in config.zones[0].upstreams if isinstance(each, ResolvConf)] == [f"/{text}"]


def test_check_reads_the_environment_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "resolver.yaml"
    path.write_text(TEXT)
    assert main(["--config", str(path), "--check"]) == 2
    assert "the environment variable DNS_SERVICE_HOST is not set" in capsys.readouterr().err
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert main(["--config", str(path), "--check"]) == 0
