"""How a benchmark whose table stands on a page begins."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from benchmarks.command import begin
from benchmarks.publish import Place
from tests import needs

TABLE = Place(Path("docs/node.md"), "restarts")


def test_a_table_is_published_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert not begin(ArgumentParser(), [], TABLE).publish
    assert begin(ArgumentParser(), ["--publish"], TABLE).publish
    assert TABLE.begin.partition(":")[0] in TABLE.page.read_text(), "the folder is the repository's"


def test_what_is_missing_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(needs, "missing", lambda thing: f"apt-get install {thing}" if thing == "nsd" else None)
    with pytest.raises(SystemExit) as ended:
        begin(ArgumentParser(), [], TABLE, ["nft", "nsd"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "apt-get install nsd\n"
