"""What the doctor decides without a node: settings of pods, who is in the way at a port, how it is told."""

import json
import os
import socket
from pathlib import Path

import pytest

from resolver.__main__ import main
from resolver.config.values import Listen
from resolver.doctor.findings import Finding, State, as_plain, as_text, has_problem
from resolver.doctor.pod import settings_of
from resolver.doctor.ports import covers, holders

LISTEN = Listen(("169.254.20.10", "fd00::10"))
LEAN = (
    "nameserver 169.254.20.10\nnameserver 10.96.0.10\nsearch svc.cluster.local\noptions ndots:2 timeout:1 attempts:1\n"
)


@pytest.mark.parametrize(
    ("text", "states", "words"),
    [
        (LEAN, ["ok"], "asks 169.254.20.10, 10.96.0.10, and searches svc.cluster.local"),
        ("nameserver 10.96.0.10\n", ["problem"], "asks 10.96.0.10, and not this node's resolver"),
        ("", ["problem"], "asks nobody"),
        ("nameserver 10.96.0.10\nnameserver fd00::10\noptions timeout:1", ["ok", "problem"], "asks 10.96.0.10 first"),
        ("nameserver fd00:0::10\noptions timeout:1\n", ["ok", "note"], "no second nameserver"),
        (LEAN.replace("ndots:2", "ndots:5"), ["ok", "note"], "ndots is 5: names with up to 4 dots go through 1 search"),
        (LEAN.replace("timeout:1", "rotate"), ["ok", "note"], "timeout is 5 s"),
    ],
)
def test_settings_of_a_pod_are_explained(text: str, states: list[str], words: str) -> None:
    findings = settings_of(text, LISTEN)
    assert [finding.state for finding in findings] == states
    assert words in " ".join(finding.says for finding in findings)


@pytest.mark.parametrize(
    ("holder", "address", "in_the_way"),
    [
        ("169.254.20.10", "169.254.20.10", True),
        ("0.0.0.0", "169.254.20.10", True),
        ("::", "169.254.20.10", True),
        ("::", "fe80::1%eth0", True),
        ("0.0.0.0", "fd00::10", False),
        ("127.0.0.53", "169.254.20.10", False),
    ],
)
def test_who_listens_elsewhere_is_not_in_the_way(holder: str, address: str, in_the_way: bool) -> None:
    assert covers(holder, address) is in_the_way


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_holds_a_port_is_found(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        sock.listen()
        (found,) = holders(sock.getsockname()[1])
    assert found[:3] == (address, "tcp", os.getpid())
    assert f"(process {os.getpid()})" in str(found)


def test_a_socket_whose_owner_may_not_be_looked_at_is_somebodys(tmp_path: Path) -> None:
    (tmp_path / "self" / "net").mkdir(parents=True)
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: {}:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 {} 2 0 0\n"
    own = socket.ntohl(int.from_bytes(socket.inet_aton("10.0.0.1"), "big"))
    (tmp_path / "self" / "net" / "udp").write_text(head + row.format(f"{own:08X}", 77) + row.format("00000000", 0))
    (found,) = holders(53, proc=tmp_path)
    assert (found.address, found.pid, found.ours) == ("10.0.0.1", 0, False)
    assert str(found) == "a process that only root may look at"


def test_findings_are_told_to_people_and_to_scripts() -> None:
    findings = [
        Finding("address", State.OK, "it is there"),
        Finding("port", State.PROBLEM, "long " * 30, "do this"),
        Finding("rules", State.PROBLEM, "gone", "and that"),
        Finding("pod", State.NOTE, "by the way", "if you like"),
    ]
    text = as_text(findings)
    assert text.startswith("ok       address           it is there\nproblem  port              long long")
    assert "\n                           -> do this\n" in text
    assert text.endswith("\n1 ok, 1 note, 2 problems\n")
    assert max(map(len, text.splitlines())) <= 100
    plain = as_plain(findings)
    assert plain["healthy"] is False
    assert json.loads(json.dumps(plain))["findings"][0] == {
        "check": "address", "state": "ok", "says": "it is there", "fix": None,
    }  # fmt: skip
    assert not has_problem([findings[0], findings[3]])


def test_its_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for word in (
        "configuration",
        "address",
        "port",
        "rules, bypass",
        "upstream",
        "resolver",
        "pod",
        "examples:",
        "exit status:",
    ):
        assert word in said
