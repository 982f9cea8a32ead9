"""What the benchmarks' figures rest on: the upstream says what is expected of it, and wrong answers are found out."""

import socket
import threading
from pathlib import Path

import pytest

from benchmarks import floods, load, machine, names
from benchmarks.ask import Asker
from benchmarks.measure import open_bench
from benchmarks.names import AAAA, Asked
from benchmarks.native import program
from benchmarks.peers import Peer, Site
from benchmarks.workloads import Workload

QUESTIONS = [*names.services(50), Asked("web.shop.svc.cluster.local", AAAA), *names.popular(3)[2]]

pytestmark = [pytest.mark.serial, pytest.mark.needs("gcc", "dnsperf")]


def work(questions: list[Asked]) -> Workload:
    return Workload("work", "work", questions, questions, floor=True)


def upstream_itself(site: Site) -> list[str]:
    return [str(program("upstream")), str(site.port), "30"]


def upstream_with_long_ttls(site: Site) -> list[str]:
    return [str(program("upstream")), str(site.port), "31"]


def test_a_server_that_answers_rightly_gets_figures() -> None:
    with open_bench() as bench:
        (run,) = bench.runs(Peer("right", "right", upstream_itself), [work(QUESTIONS)], [0], 0.2)
    assert run.problems == []
    assert run.answers > 0
    assert run.memory_mebibytes > 0


def test_a_server_whose_ttls_are_wrong_gets_none() -> None:
    with open_bench() as bench:
        (run,) = bench.runs(Peer("wrong", "wrong", upstream_with_long_ttls), [work(QUESTIONS)], [0], 0.2)
    assert "a TTL of 31" in run.problems[0]


def test_a_server_that_does_not_start_is_a_problem_with_its_last_words() -> None:
    def refusing(site: Site) -> list[str]:
        return ["sh", "-c", f"echo no port {site.port} for me; exit 1"]

    with open_bench() as bench:
        (run,) = bench.runs(Peer("refusing", "refusing", refusing), [work(QUESTIONS)], [0], 0.2)
    assert "for me" in run.problems[0]


def test_an_echo_of_the_question_is_no_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def echo() -> None:
            packet, peer = sock.recvfrom(4096)
            sock.sendto(packet[:2] + bytes([packet[2] | 0x80]) + packet[3:], peer)

        thread = threading.Thread(target=echo)
        thread.start()
        asker = Asker(sock.getsockname()[1])
        problems = asker.problems(QUESTIONS[:1])
        asker.close()
        thread.join()
    assert "in the place of" in problems[0]


def test_a_steady_load_tells_latencies_and_loses_nothing_to_a_server_that_answers() -> None:
    steady = Workload("steady", "steady", [], names.services(50), per_second=1000)
    with open_bench() as bench:
        (run,) = bench.runs(Peer("right", "right", upstream_itself), [steady], [0], 0.2)
    assert [problem for problem in run.problems if "held up" not in problem] == []
    assert 0 < run.latencies["p50"] <= run.latencies["p99"] <= run.latencies["p999"]


def test_a_query_nobody_answers_is_lost() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        packets = Workload("steady", "steady", [], names.services(1)).packets()
        found = load.steady(sock.getsockname()[1], packets, per_second=1000, seconds=0.05)
    assert found.lost == found.sent > 0
    assert found.overflowed == 0


def test_packets_that_a_socket_had_no_room_for_are_counted_where_they_were_lost() -> None:
    before = machine.all_unread_packets()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.bind(("127.0.0.1", 0))
        for _ in range(100):
            sender.sendto(bytes(100), deaf.getsockname())
        unread = machine.unread_packets(deaf.getsockname()[1])
        assert 0 < unread < 100
        assert machine.unread_packets(sender.getsockname()[1]) == 0
        assert machine.all_unread_packets() - before >= unread


def test_programs_in_c_are_built_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = program("echo")
    before = built.stat().st_mtime_ns
    assert program("echo").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", floods.kinds(), ids=lambda kind: kind.mode or "nobody")
def test_a_flood_of_each_kind_reaches_the_server_and_the_quiet_client_is_counted(kind: floods.Kind) -> None:
    with open_bench() as bench:
        found = floods.measure(bench, Peer("right", "right", upstream_itself), kind, 0.2)
    assert found.load.sent > 0
    assert found.mebibytes > 0
    if kind.mode != "drip":  # a moment may be too short for a whole question
        assert (found.flood_per_second > 0) == (kind.mode in {"packets", "unique", "questions", "churn"})
    assert (found.connections > 0) == (kind.mode in {"questions", "silent", "drip", "churn", "halfopen"})
    assert len(found.cells()) == len(floods.HEAD)
