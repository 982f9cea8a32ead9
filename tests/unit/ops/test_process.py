"""The metrics of the process, beside prometheus_client's."""

from pathlib import Path

import pytest
from prometheus_client import ProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from resolver.ops.process import process_metrics

STEADY = {"process_start_time_seconds", "process_max_fds"}
MOVING = {
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_cpu_seconds_total",
}


def ours(proc: str = "/proc") -> dict[str, float]:
    families = text_string_to_metric_families("".join(process_metrics(proc)))
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_they_are_what_prometheus_client_tells() -> None:
    theirs = {
        sample.name: sample.value for family in ProcessCollector(registry=None).collect() for sample in family.samples
    }
    told = ours()
    assert told.keys() == theirs.keys() == STEADY | MOVING
    assert {name: told[name] for name in STEADY} == {name: theirs[name] for name in STEADY}
    for name in MOVING:
        assert told[name] == pytest.approx(theirs[name], rel=0.1, abs=2)


def test_without_proc_there_are_none(tmp_path: Path) -> None:
    assert ours(str(tmp_path)) == {}


def test_no_limit_of_descriptors_is_no_metric(tmp_path: Path) -> None:
    own = tmp_path / "self"
    (own / "fd").mkdir(parents=True)
    fields = ["S", *map(str, range(4, 53))]
    (own / "stat").write_text(f"7 (a ) name) {' '.join(fields)}\n")
    (own / "limits").write_text("Limit  Soft  Hard  Units\nMax open files   unlimited   unlimited   files\n")
    (tmp_path / "stat").write_text("cpu 1 2\nbtime 1000\nprocesses 5\n")
    told = ours(str(tmp_path))
    assert "process_max_fds" not in told
    assert told["process_open_fds"] == 0
    assert told["process_virtual_memory_bytes"] == 23  # proc_pid_stat(5): the 23rd field
