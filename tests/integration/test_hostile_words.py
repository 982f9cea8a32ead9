"""Names that strangers choose, sentences that servers write: in the log and in /metrics they never begin a line, end a
value or move a cursor.
"""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cases.recorded import question_of
from tests.lab.hostile import hostile
from tests.lab.loopback import PATIENCE_SECONDS, Running, configuration, upstream
from tests.lab.waiting import wait_until
from tests.unit.walker import walk

LABELS = (
    b'a"} 1\ncoredns_forged_total 1\n', b'"', b"\\", b"\\n", b"\r\n", b"\0", b"\x1b[2J", b"\xff\xfe\x80",
    b" level=error ", b'","event":"forged","x":"', b"\ncoredns_forged_total{} 1", "\u2028\u0085".encode(), b"%s%n${x}",
    b"# TYPE x counter", b"]]>\t\x7f", b"\n2026-01-01T00:00:00.000Z ERROR   forged",
)  # fmt: skip
SENTENCE = b'no\n{"event":"forged"}\ncoredns_forged_total 1\n\x1b[31m"} \\'
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) +\S.*")


class InWords(Running):
    """One whose log is text."""

    def events(self, event: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [{"event": event, "line": line} for line in lines if f" INFO    {event}" in line]


def refusing(query: bytes) -> list[bytes]:
    """SERVFAIL with a sentence (RFC 8914), and an rcode that has no name where the label is of odd length."""
    option = b"\0\x0f" + (2 + len(SENTENCE)).to_bytes(2, "big") + b"\0\x16" + SENTENCE
    upper = b"\xff" if query[12] & 1 else b"\0"
    record = b"\0\0\x29\x04\xd0" + upper + b"\0\0\0" + len(option).to_bytes(2, "big") + option
    return [query[:2] + b"\x81\x82\0\1\0\0\0\0\0\1" + question_of(query) + record]


def ask_all(port: int) -> int:
    """Each label as a name, of a type that has no name; how many questions that were."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect(("127.0.0.1", port))
        for number, label in enumerate(LABELS):
            name = bytes((len(label),)) + label + b"\4test\0"
            query = number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + name + b"\xff\xfa\0\1"
            sock.send(query)
            assert walk(sock.recv(4096)).flags & 0xF == 2
    return len(LABELS)


def families(resolver: Running) -> set[str]:
    """The names of all metrics; every value of a label can be shown."""
    found = set()
    for family in text_string_to_metric_families(resolver.admin("/metrics")[1]):
        found.add(family.name)
        for sample in family.samples:
            assert all(value.isprintable() and "forged" not in value for value in sample.labels.values())
    return found


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_name_and_no_sentence_of_a_server_forges_a_line_of_the_log_or_a_metric(tmp_path: Path, form: str) -> None:
    with hostile() as server, upstream() as unused:
        config = configuration(unused, log={"format": form, "level": "debug", "queries": True})
        config["zones"] = [{"names": ["."], "upstreams": [f"127.0.0.1:{server.port}"], "transport": "udp"}]
        server.say = refusing
        resolver = InWords(tmp_path, config) if form == "text" else Running(tmp_path, config)
        try:
            resolver.start()
            before = families(resolver)
            asked = ask_all(config["listen"]["port"])
            assert families(resolver) == before
            wait_until(lambda: len(resolver.events("query")) >= asked, "a line for each query")
            status, page = resolver.admin("/cache?name=%22%0A%1B.test")
            assert page.rstrip("\n").isascii(), status
            assert resolver.stop() == 0
        finally:
            resolver.kill()
        assert len(resolver.events("query")) == asked
        for line in resolver.log.read_text().split("\n")[:-1]:
            assert line.isascii()
            assert line.isprintable()
            assert form == "json" or LINE.fullmatch(line)
            assert form == "text" or json.loads(line)["event"] != "forged"
