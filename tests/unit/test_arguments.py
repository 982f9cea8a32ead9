"""What the command's arguments ask for, with and without argparse."""

import pytest

from resolver.__main__ import _COMMANDS, DEFAULT_CONFIG, Order, _parse, main, read_order
from tests.bare import said_by


@pytest.mark.parametrize("arguments", [[], ["--config", "file"], ["--config", ""], ["--config", "a b"]])
def test_the_usual_arguments_mean_what_argparse_makes_of_them(arguments: list[str]) -> None:
    assert read_order(arguments) == _parse(arguments)


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (["--config=file"], Order("file")),
        (["--check"], Order(DEFAULT_CONFIG, check=True)),
        (["--check", "--config", "file"], Order("file", check=True)),
        (["--demo"], Order(demo=True)),
        (["--convert-corefile", "-"], Order(convert_corefile="-")),
        (
            ["--convert-corefile", "file", "--set", "A=b=c", "--set", "B=", "--as", "values"],
            Order(convert_corefile="file", settings=(("A", "b=c"), ("B", "")), form="values"),
        ),
    ],
)
def test_other_arguments_are_read(arguments: list[str], order: Order) -> None:
    assert read_order(arguments) == order


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config"],
        ["--config", "--check"],
        ["file"],
        ["--check", "--demo"],
        ["--convert-corefile"],
        ["--convert-corefile", "x", "--check"],
        ["--convert-corefile", "x", "--set", "A"],
        ["--convert-corefile", "x", "--set", "=a"],
        ["--convert-corefile", "x", "--as", "json"],
        ["--set", "A=b"],
        ["--as", "values"],
    ],
)
def test_wrong_arguments_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_order(arguments)
    assert end.value.code == 2
    assert "usage: nodelocaldns-resolver" in capsys.readouterr().err


def test_a_node_starts_without_what_argparse_brings_along() -> None:
    code = (
        "import sys; from resolver.__main__ import read_order; read_order(['--config', 'file'])\n"
        "from resolver.loops import import_loops; import_loops()\n"
        "import resolver.config.yamltext, resolver.main\n"
        "print(sorted({'argparse', 'gettext', 'shutil', 'lzma', 'pathlib', 'prometheus_client'} & set(sys.modules)))"
    )
    assert said_by(code) == "[]"


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_help_of_every_command_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert f"\n  nodelocaldns-resolver {command} " in said
    assert "examples:" in said
    assert "exit status:" in said.lower()
