"""The command as an operator meets it: exit statuses and messages, on loopback and without root."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from resolver import __version__
from resolver.__main__ import main
from tests.lab.netns import namespaces
from tests.lab.resolver import REPOSITORY

PATIENCE_SECONDS = 60


def command(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "resolver", *arguments]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command(*arguments), cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    return done.returncode, done.stdout, done.stderr


def taken() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def settings(folder: Path, port: int, admin_port: int) -> str:
    file = folder / "resolver.yaml"
    file.write_text(
        f"listen: {{addresses: [127.0.0.1], port: {port}}}\nadmin: {{port: {admin_port}}}\n"
        f"zones: [{{names: [.], upstreams: ['127.0.0.1:9']}}]\n"
    )
    return str(file)


def test_check_says_nothing_about_a_right_file_and_opens_nothing(tmp_path: Path) -> None:
    with taken() as one, taken() as other:
        assert run("--check", "--config", settings(tmp_path, port_of(one), port_of(other))) == (0, "", "")


def test_check_names_file_and_key_of_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "resolver.yaml"
    file.write_text("listen: {port: 70000}\nzones: [{names: [.], upstreams: [here], timeout: 5}]\ncolour: red\n")
    status, said, problems = run("--check", "--config", str(file))
    assert (status, said) == (2, "")
    keys = ["listen.port", "zones[0].upstreams[0]", "zones[0].timeout", "colour"]
    assert sorted(line.split(": ")[1] for line in problems.splitlines()) == sorted(keys)
    assert all(line.startswith(f"{file}: ") for line in problems.splitlines())
    assert run("--config", str(file)) == (2, "", problems), "without --check it is the same, and nothing starts"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "resolver.yaml")
    assert run("--check", "--config", missing) == (2, "", f"{missing}: No such file or directory\n")
    assert run("--check", "--config", str(tmp_path)) == (2, "", f"{tmp_path}: not a regular file\n")


COREFILES = REPOSITORY / "tests" / "cases" / "migration"


def test_a_corefile_is_converted_on_standard_output_and_commented_on_standard_error(tmp_path: Path) -> None:
    given = COREFILES / "shipped.yaml"
    status, written, remarks = run("--convert-corefile", str(given))
    assert status == 0, "nothing was left out or changed"
    assert f"  # {given}:11: cluster.local:53\n" in written
    assert all(line.startswith(f"{given}:") and ": note: " in line for line in remarks.splitlines())
    result = tmp_path / "resolver.yaml"
    result.write_text(written)
    assert run("--check", "--config", str(result)) == (0, "", "")


def test_what_is_lost_is_status_1_and_what_cannot_be_read_is_status_2(tmp_path: Path) -> None:
    given = tmp_path / "Corefile"
    given.write_text(".:53 {\n    bind 127.0.0.1\n    forward . {$WORLD}\n    dns64\n}\n")
    status, written, problems = run("--convert-corefile", str(given))
    assert (status, written) == (2, "")
    assert problems == f"{given}:3:15: WORLD: its value is not known here: --set WORLD=VALUE\n"
    status, written, problems = run("--convert-corefile", str(given), "--set", "WORLD=192.0.2.1")
    assert status == 1
    assert "upstreams: [192.0.2.1]" in written
    assert f"{given}:4: dns64: left out: " in problems
    given.write_text(".:53 {\n    forward . 192.0.2.1\n")
    assert run("--convert-corefile", str(given)) == (
        2,
        "",
        f"{given}:1:6: the block of .:53 that begins here has no closing '}}'\n",
    )
    missing = str(tmp_path / "missing")
    assert run("--convert-corefile", missing) == (2, "", f"{missing}: No such file or directory\n")


def test_a_corefile_may_come_through_a_pipe_and_leave_as_values() -> None:
    done = subprocess.run(
        command("--convert-corefile", "-", "--as", "values"),
        cwd=REPOSITORY, input="{\n", capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "standard input:1:1: a zone was expected here, not '{'\n"
    done = subprocess.run(
        command("--convert-corefile", "-", "--as", "values"),
        cwd=REPOSITORY, input=(COREFILES / "gke.yaml").read_text(), capture_output=True, text=True, check=False,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert "  mode: transparent\n" in done.stdout
    assert "standard input:62: forward ... ns.partner.example: left out: " in done.stderr


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_told_to_stop_before_it_has_begun_ends_with_status_0(
    way: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolver.main.run_demo", lambda: signal.raise_signal(way))
    before = signal.getsignal(signal.SIGTERM)
    ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with `&` ignores it
    try:
        assert main(["--demo"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ctrl_c)


def test_the_version_is_told() -> None:
    form = " (compiled)" if "NODELOCALDNS_COMPILED" in os.environ else ""
    assert run("--version") == (0, f"nodelocaldns-resolver {__version__}{form}\n", "")


@pytest.mark.parametrize("whose", ["pods", "admin"])
def test_an_address_that_is_in_use_at_the_start_is_named_and_the_start_is_given_up(tmp_path: Path, whose: str) -> None:
    with taken() as other:
        with taken() as sock:
            free = port_of(sock)
        used = port_of(other)
        status, _, log = run("--config", settings(tmp_path, *((used, free) if whose == "pods" else (free, used))))
    last = log.splitlines()[-1]
    assert status == 1
    assert '"level":"error","event":"cannot start"' in last
    assert (f"127.0.0.1:{used}/tcp" if whose == "pods" else f"admin endpoints at 127.0.0.1:{used}") in last
    assert "EADDRINUSE" in last


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_shows_its_table_stays_up_and_ends_with_status_0_when_told_to(way: signal.Signals) -> None:
    demo = subprocess.Popen(
        command("--demo"), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with demo:
        assert demo.stdout is not None
        shown, match = "", None
        while match is None and (line := demo.stdout.readline()):
            shown += line
            match = re.search(r"dig @(\S+) -p (\d+) web\.shop", line)
        assert match, shown
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_SECONDS)
            client.connect((match[1], int(match[2])))
            client.send(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\3web\4shop\3svc\7cluster\5local\0\0\1\0\1")
            reply = client.recv(512)
        assert (reply[:2], reply[3] & 15) == (b"\x12\x34", 0)
        demo.send_signal(way)
        assert demo.stderr is not None
        assert (demo.wait(PATIENCE_SECONDS), demo.stderr.read()) == (0, "")
    for word in ("hit", "miss"):
        assert word in shown.lower()


@pytest.mark.needs("netns")
def test_the_demo_needs_no_network() -> None:
    with namespaces("alone") as (alone,):
        interfaces = alone.run("ip", "-br", "link").stdout.split()
        assert interfaces[0] == "lo"
        assert len(interfaces) == 4  # name, state, address, flags: there is no other
        demo = subprocess.Popen(
            alone.command(*command("--demo")), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with demo:
            assert demo.stdout is not None
            while "Ctrl-C" not in (line := demo.stdout.readline()):
                assert line, "the demo ended early"
            demo.send_signal(signal.SIGINT)
            assert demo.stderr is not None
            assert (demo.wait(PATIENCE_SECONDS), demo.stderr.read()) == (0, "")
