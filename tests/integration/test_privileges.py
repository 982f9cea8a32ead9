"""What a worker can do once it has given up its rights: tried out by code that runs in one, and read from the kernel.

The code takes the place of the worker's work, after `drop` and so with exactly what strangers' packets would meet.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.loopback import Running, Upstream, ask_once, configuration, running, upstream

pytestmark = pytest.mark.needs("netns")

NOBODY = 65534
TRIES = """
import ctypes, json, os, signal, socket, sys
from resolver import worker
from resolver.__main__ import main

libc = ctypes.CDLL(None, use_errno=True)
drop, supervisor, folder = worker.drop, os.getpid(), {folder!r}

def call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "")

def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")

def low_port(kind, port):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", port))

def leave(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))

TRIES = {{
    "write a file of its own user": lambda: os.close(os.open(folder + "/nobodys", os.O_WRONLY)),
    "truncate a file of its own user": lambda: os.truncate(folder + "/nobodys", 0),
    "create a file where everybody may": lambda: leave(folder + "/everybody/new"),
    "create a file in /tmp": lambda: leave("/tmp/nodelocaldns-worker-was-here"),
    "create a folder": lambda: os.mkdir(folder + "/everybody/folder"),
    "create a link": lambda: os.symlink("/etc", folder + "/everybody/link"),
    "create a Unix socket": lambda: socket.socket(socket.AF_UNIX).bind(folder + "/everybody/socket"),
    "remove a file": lambda: os.unlink(folder + "/everybody/old"),
    "rename a file": lambda: os.rename(folder + "/everybody/old", folder + "/everybody/renamed"),
    "write root's file": lambda: os.close(os.open("/etc/hostname", os.O_WRONLY)),
    "write a setting of the kernel": lambda: os.close(os.open("/proc/sys/net/ipv4/ip_forward", os.O_WRONLY)),
    "become root": lambda: os.setuid(0),
    "become root's group": lambda: os.setgid(0),
    "take capabilities": lambda: checked(
        libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))
    ),
    "raise the ambient set": lambda: checked(libc.prctl(47, 2, 12, 0, 0)),
    "take back no_new_privs": lambda: checked(libc.prctl(38, 0, 0, 0, 0)),
    "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP),
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
    "bind a low UDP port": lambda: low_port(socket.SOCK_DGRAM, 67),
    "bind a low TCP port": lambda: low_port(socket.SOCK_STREAM, 80),
    "signal the supervisor": lambda: os.kill(supervisor, signal.SIGTERM),
    "ask whether the supervisor could be signalled": lambda: os.kill(supervisor, 0),
    "trace the supervisor": lambda: checked(libc.ptrace(16, supervisor, 0, 0)),
    "read the supervisor's memory": lambda: os.close(os.open(f"/proc/{{supervisor}}/mem", os.O_RDONLY)),
    "take a descriptor of the supervisor": lambda: call(438, os.pidfd_open(supervisor), 0, 0),
    "have a namespace of its own": lambda: checked(libc.unshare(0x40000000)),
    "mount": lambda: checked(libc.mount(b"none", folder.encode(), b"tmpfs", 0, None)),
    "load a module": lambda: call(313, 0, b"", 0),
    "change the root": lambda: os.chroot(folder),
    "set the clock": lambda: checked(libc.settimeofday((ctypes.c_long * 2)(1, 0), None)),
    "raise its priority": lambda: os.nice(-5),
}}

def try_all(said):
    for what, attempt in TRIES.items():
        try:
            attempt()
        except OSError as error:
            said[what] = error.errno
        else:
            said[what] = 0
    with open("/etc/hostname") as own:
        said["read a file"] = bool(own.read())
    with open("/proc/self/status") as own:
        said["status"] = own.read()
    os.write(2, (json.dumps({{"event": "tried", **said}}) + "\\n").encode())

def tried(who, parent):
    confined = drop(who, parent)
    try_all({{"confined": confined}})
    return confined

worker.drop = tried
sys.exit(main(sys.argv[1:]))
"""
IN_READER = """
from resolver.supervisor import settings

def tried(text, read=settings._read):
    try_all({{}})
    return read(text)

settings._read = tried
sys.exit(main(sys.argv[1:]))
"""
"""In place of what tries in a worker: the same in the child that reads the configuration."""
SAME_USER = (
    "become root", "become root's group", "signal the supervisor", "ask whether the supervisor could be signalled",
)  # fmt: skip
"""What the reader's user decides, which is its supervisor's."""


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def belongings(tmp_path: Path) -> Path:
    """A folder that everybody reaches, with a file of nobody's and a folder where everybody may write."""
    for each in (tmp_path, *list(tmp_path.parents)[:3]):
        if each != Path("/tmp"):
            each.chmod(0o755)
    (tmp_path / "nobodys").write_text("kept")
    os.chown(tmp_path / "nobodys", NOBODY, NOBODY)
    (tmp_path / "everybody").mkdir()
    (tmp_path / "everybody").chmod(0o777)
    (tmp_path / "everybody" / "old").touch()
    os.chown(tmp_path / "everybody" / "old", NOBODY, NOBODY)
    return tmp_path


def tries(resolver: Running) -> dict[str, Any]:
    (said,) = resolver.events("tried")
    said.pop("event")
    return said


def held(text: str) -> set[str]:
    """What the status of a process says of its capabilities and of new ones."""
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    return {status[name].lstrip("0") for name in names} | {f"no new ones: {status['NoNewPrivs']}"}


def test_a_worker_can_write_no_file_raise_no_right_and_reach_no_other_process(server: Upstream, tmp_path: Path) -> None:
    folder = belongings(tmp_path)
    script = TRIES.format(folder=str(folder))
    with running(tmp_path, configuration(server, node={"user": "nobody"}), script=script) as resolver:
        said = tries(resolver)
        assert said.pop("confined"), "this kernel has no Landlock: the test needs one, from 5.13 on"
        assert said.pop("read a file")
        assert held(said.pop("status")) == {"", "no new ones: 1"}
        assert len(said) == 31
        assert [what for what, errno in said.items() if not errno] == []
        assert ask_once(resolver.config["listen"]["port"], "n1.example")[3] & 15 == 0
        assert (folder / "nobodys").read_text() == "kept"
        assert resolver.stop() == 0


def test_the_tries_would_succeed_with_the_rights_that_are_given_up(server: Upstream, tmp_path: Path) -> None:
    folder = belongings(tmp_path)
    script = TRIES.format(folder=str(folder)).replace("confined = drop(who, parent)", "confined = False")
    # What would harm this machine, or end the supervisor, is left out.
    harmful = (
        "write a setting", "become root's", "signal the", "trace the", "mount", "load", "change the root", "set the",
        "remove a file", "rename a file", "have a namespace", "create a file in /tmp", "raise its",
    )  # fmt: skip
    script = script.replace("TRIES.items():", f"[(w, t) for w, t in TRIES.items() if not w.startswith({harmful!r})]:")
    with running(tmp_path, configuration(server), script=script) as resolver:
        said = tries(resolver)
        assert said.pop("read a file")
        assert held(said.pop("status")) != {"", "no new ones: 1"}
        assert len(said) == 19
        # Three fail for root too: more than all capabilities, the ambient set without inheritable, the way back.
        assert {what for what, errno in said.items() if errno} <= {
            "take capabilities", "raise the ambient set", "take back no_new_privs",
        }  # fmt: skip
        assert resolver.stop() == 0


@pytest.mark.parametrize(("user", "uid"), [("nobody", NOBODY), ("", 0)])
def test_the_kernel_says_so_of_each_worker_and_of_its_threads(
    server: Upstream, tmp_path: Path, user: str, uid: int
) -> None:
    with running(tmp_path, configuration(server, workers=2, node={"user": user})) as resolver:
        ask_once(resolver.config["listen"]["port"], "n1.example")
        for worker in resolver.workers():
            for thread in Path(f"/proc/{worker}/task").iterdir():
                status = status_of(int(thread.name))
                assert set(status["Uid"].split() + status["Gid"].split()) == {str(uid)}
                assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
                assert status["NoNewPrivs"] == "1"
        assert resolver.stop() == 0


def test_who_reads_the_configuration_can_change_nothing(server: Upstream, tmp_path: Path) -> None:
    """It is its supervisor's child, and its user: root here, with nothing that makes root more than others."""
    folder = belongings(tmp_path)
    tools, _, _ = TRIES.partition("def tried(")
    script = (tools + IN_READER).format(folder=str(folder))
    with running(tmp_path, configuration(server), script=script) as resolver:
        said = tries(resolver)
        assert said.pop("read a file")
        assert held(said.pop("status")) == {"", "no new ones: 1"}
        assert {what for what, errno in said.items() if not errno} <= set(SAME_USER)
        assert len(said) == 31
        assert ask_once(resolver.config["listen"]["port"], "n1.example")[3] & 15 == 0
        assert resolver.stop() == 0


@pytest.mark.parametrize("call", ["_CREATE_RULESET", "_RESTRICT_SELF"])
def test_landlock_says_when_it_does_not_hold_and_a_worker_starts_all_the_same(call: str) -> None:
    code = (
        "import ctypes\n"
        "from resolver.supervisor import landlock\n"
        f"landlock.{call} = 1_000_000\n"  # no such system call
        "print(landlock.write_no_files())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
