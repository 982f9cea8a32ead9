import errno
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.cache.packets import Budget
from resolver.config import Log, LogFormat, LogLevel
from resolver.events import event
from resolver.message.query import HEADER, BadPacket, read_query, salvage
from resolver.message.reply import write_failure, write_rejection
from resolver.ops.logs import Logs
from resolver.ops.querylog import observe_query
from resolver.outcome import Source, Via
from tests.lab.waiting import wait_until

QUERY = HEADER.pack(7, 0x0100, 1, 0, 0, 0) + b"\3Www\4shop\0\0\x1c\0\1"
log = logging.getLogger("resolver.test")


class Written:
    """A log that goes to a file."""

    def __init__(self, path: Path, settings: Log) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.logs = Logs(settings, self.descriptor)
        self.logs.start()

    def lines(self) -> list[str]:
        self.logs.close(seconds=60.0)
        return self.path.read_text().splitlines()

    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # pytest's own, which `start` would close
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_json_object_per_line(tmp_path: Path) -> None:
    written = Written(tmp_path / "log", Log())
    event(log, logging.WARNING, "upstream down", server="10.96.0.10:53", tries=3, slow=None)
    event(log, logging.INFO, "100% of\nit", ts="not the time")
    first, second = written.objects()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(first.pop("ts")))
    assert first == {"level": "warning", "event": "upstream down", "server": "10.96.0.10:53", "tries": 3, "slow": None}
    assert second["event"] == "100% of\nit"
    assert second["ts"] != "not the time"


@pytest.mark.parametrize("form", list(LogFormat))
def test_nothing_in_a_line_moves_a_cursor_or_ends_the_line_for_any_reader(tmp_path: Path, form: LogFormat) -> None:
    written = Written(tmp_path / "log", Log(format=form))
    words = "".join(map(chr, range(0xA1))) + "\u2028\u2029\u202e\ufeff"
    event(log, logging.INFO, "said", words=words, name="Zürich")
    (line,) = written.lines()
    assert line.isprintable()
    if form is LogFormat.JSON:
        assert json.loads(line)["words"] == words


def test_text_is_one_line_for_people_and_quotes_what_could_be_misread(tmp_path: Path) -> None:
    written = Written(tmp_path / "log", Log(format=LogFormat.TEXT))
    event(log, logging.WARNING, "upstream down", server="[::1]:53", reason='no "way"\nlevel=error', tries=3, name="")
    log.info("two\nlines of %s", "a library")
    first, second = written.lines()
    assert first.endswith(r'Z WARNING upstream down server=[::1]:53 reason="no \"way\"\nlevel=error" tries=3 name=""')
    assert second.endswith(r"Z INFO    two\nlines of a library")


def test_an_exception_is_written_with_its_traceback(tmp_path: Path) -> None:
    written = Written(tmp_path / "log", Log())
    try:
        Path("/nowhere").stat()
    except OSError:
        log.exception("it failed")
    (line,) = written.objects()
    assert "FileNotFoundError: " in str(line["exception"])


def test_level_and_format_change_while_running(tmp_path: Path) -> None:
    written = Written(tmp_path / "log", Log(level=LogLevel.WARNING))
    log.info("unseen")
    written.logs.reconfigure(Log(level=LogLevel.DEBUG))
    log.debug("seen")
    assert [line["event"] for line in written.objects()] == ["seen"]


def test_the_query_log_has_a_line_for_each_query_at_any_level(tmp_path: Path) -> None:
    written = Written(tmp_path / "log", Log(level=LogLevel.ERROR))
    query = read_query(QUERY)
    via = Via(tcp=True, family=4, ready=Budget(0).table())
    observe_query(query, write_failure(query, 3), "10.0.0.7", via, Source.UPSTREAM, 0.00123456)
    (line,) = written.objects()
    del line["ts"], line["level"]
    assert line == {
        "event": "query", "client": "10.0.0.7", "name": "Www.shop.", "type": "AAAA", "proto": "tcp",
        "rcode": "NXDOMAIN", "source": "forward", "bytes": len(QUERY), "ms": 1.235, "do": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("packet", "name", "qtype", "rcode"),
    [
        (QUERY + b"more", "Www.shop.", "AAAA", "FORMERR"),
        (QUERY[:-6], "", "", "FORMERR"),
        (QUERY[:4] + b"\0\0" + QUERY[6:], "", "", "FORMERR"),
        (QUERY[:11] + b"\1" + QUERY[12:] + b"\0\0\x29\4\xd0\0\1\0\0\0\0", "Www.shop.", "AAAA", "BADVERS"),
    ],
)
def test_the_query_log_tells_of_a_malformed_query_what_can_be_read(
    tmp_path: Path, packet: bytes, name: str, qtype: str, rcode: str
) -> None:
    written = Written(tmp_path / "log", Log())
    with pytest.raises(BadPacket) as rejection:
        read_query(packet)
    reply = write_rejection(packet, rejection.value)
    assert reply is not None
    via = Via(tcp=False, family=4, ready=Budget(0).table())
    observe_query(salvage(packet), reply, "10.0.0.7", via, Source.REJECTED, 0.0)
    (line,) = written.objects()
    assert (line["name"], line["type"], line["rcode"]) == (name, qtype, rcode)


def test_a_reader_that_stops_reading_costs_lines_and_nothing_else() -> None:
    reading, writing = os.pipe()
    logs = Logs(Log(), writing, queued=10)
    logs.start()
    for _ in range(200):
        log.info("x" * 4000)  # far more than a pipe holds
    assert logs.dropped_total > 0
    logs.close(seconds=0.01)
    os.close(reading)  # ends the write that waits
    wait_until(logs._queue.empty, "the end of the thread that writes")


def test_a_line_that_cannot_be_made_is_said_to_be_so(tmp_path: Path) -> None:
    written = Written(tmp_path / "log", Log(format=LogFormat.TEXT))
    log.info("%d things", "no")
    log.info("goes on")
    first, second = written.lines()
    assert first.startswith("a log line that cannot be written: TypeError")
    assert second.endswith("goes on")


def test_what_is_logged_as_a_reason_is_looked_at_first(tmp_path: Path) -> None:
    file = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    seen: list[BaseException | None] = []
    logs = Logs(Log(), file)
    logs.on_exception = seen.append
    logs.start()
    error = MemoryError()
    logging.getLogger("late").error("without any")
    logging.getLogger("late").error("with one", exc_info=error)
    logs.close()
    os.close(file)
    assert seen == [error]


def test_a_line_that_cannot_be_written_is_counted_and_one_that_was_begun_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(tmp_path / "log", Log())
    room = [10, None, 1000]  # bytes for each line; None: the disk is full
    write = os.write

    def no_room(descriptor: int, text: bytes) -> int:
        most = room.pop(0)
        if most is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, text[:most])

    monkeypatch.setattr(os, "write", no_room)
    for sentence in ("cut off", "not written", "whole"):
        event(log, logging.INFO, sentence)
    cut_off, last = written.lines()
    assert (cut_off, json.loads(last)["event"]) == ('{"ts":"202', "whole")
    assert written.logs.dropped_total == 2
