"""The lab leaves nothing behind, whatever ends it: the machine it runs on may be somebody's own."""

import signal
import subprocess

import pytest

from tests.lab.netns import NAMED_NAMESPACES, PER_NAMESPACE_FILES, PREFIX, Namespace, namespaces, remove_leftovers, run

pytestmark = pytest.mark.needs("netns")


def exists(namespace: Namespace) -> bool:
    return any((folder / namespace.name).exists() for folder in (NAMED_NAMESPACES, PER_NAMESPACE_FILES))


def test_namespaces_their_files_and_processes_are_gone_after_a_failure() -> None:
    seen: list[tuple[Namespace, subprocess.Popen[str]]] = []

    def fail_inside() -> None:
        with namespaces("alone") as (alone,):
            alone.write_resolv_conf("nameserver 127.0.0.1\n")
            inside = alone.command("sh", "-c", "echo inside; exec sleep 600")
            sleeper = subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)
            seen.append((alone, sleeper))
            assert sleeper.stdout is not None
            assert sleeper.stdout.readline() == "inside\n"
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    alone, sleeper = seen[0]
    with sleeper:
        assert sleeper.wait(timeout=10) == -signal.SIGKILL
    assert not exists(alone)


def test_what_a_killed_run_left_is_removed_by_the_next() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = Namespace(f"{PREFIX}{ended.pid}-1-node")
    run("ip", "netns", "add", left.name)
    left.write_resolv_conf("nameserver 127.0.0.1\n")
    remove_leftovers()
    assert not exists(left)


def test_what_a_running_run_uses_stays() -> None:
    with namespaces("mine") as (mine,):
        remove_leftovers()
        assert exists(mine)
