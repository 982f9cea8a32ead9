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


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_told_to_stop_before_it_has_begun_ends_with_status_0(
    way: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolver.main.run_demo", lambda: signal.raise_signal(way))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["--demo"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)


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
