"""List and watch against an API server that a test plays: what is asked, what is made of it, what trouble does."""

import json
import re
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest

from resolver.kubernetes import reflector
from resolver.kubernetes.http import Place, Refused
from resolver.kubernetes.reflector import Reflector

Answer = Callable[[], Iterator[bytes]]


def page(*names: str, version: str = "10", more: str = "") -> Answer:
    """One page of a list."""
    items = [{"metadata": {"name": name}} for name in names]
    document = {"metadata": {"resourceVersion": version, "continue": more}, "items": items}
    return lambda: iter([json.dumps(document).encode()])


def events(*these: tuple[str, str, str]) -> Answer:
    """A watch of events: kind, name, resourceVersion."""
    lines = [
        {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}}}
        for kind, name, version in these
    ]
    return lambda: iter([b"".join(json.dumps(line).encode() + b"\n" for line in lines)])


def gone() -> Iterator[bytes]:
    yield json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}}).encode() + b"\n"


def refused(status: int = 403) -> Iterator[bytes]:
    yield from ()
    raise Refused(status, "forbidden")


def broken() -> Iterator[bytes]:
    yield b'{"metadata": {}, "items": ['
    raise ConnectionResetError("it has gone")


class Played:
    """Runs a reflector against these answers, one for each question, and ends it after the last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.seen: list[str] = []
        self.versions: list[str] = []
        self.pauses: list[float] = []
        self.connections = 0
        self.stopped = Event()
        monkeypatch.setattr(reflector, "Connection", self.connect)
        monkeypatch.setattr(self.stopped, "wait", self.pauses.append)
        Reflector(Place("api", 443), lambda: None, "/things", "a=b", self, self.stopped).run()  # type: ignore[arg-type,return-value]

    def connect(self, _place: Place, _known: object) -> "Played":
        self.connections += 1
        return self

    def close(self) -> None:
        pass

    def get(self, path: str, _silence: float = 0) -> Iterator[bytes]:
        self.versions += re.findall("watch=1.*resourceVersion=([0-9]+)", path)
        self.asked.append(path.removeprefix("/things?labelSelector=a%3Db&").partition("&timeoutSeconds")[0])
        if not self.answers:
            self.stopped.set()
            raise OSError("the end")
        return self.answers.pop(0)()

    def listed(self, documents: Iterator[dict[str, Any]]) -> None:
        self.seen.append("list " + " ".join(each["metadata"]["name"] for each in documents))

    def changed(self, document: dict[str, Any], *, gone: bool) -> None:
        self.seen.append(("gone " if gone else "") + document["metadata"]["name"])

    def watching(self, trouble: str) -> None:
        self.seen.append(trouble or "watching")


LIST, WATCH = "limit=500&resourceVersion=0", "watch=1&allowWatchBookmarks=true"


def test_it_lists_from_the_memory_of_the_api_server_and_watches_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(
        monkeypatch,
        page("a", "b"),
        events(("ADDED", "c", "11"), ("DELETED", "a", "12"), ("BOOKMARK", "", "20")),
        events(),
    )
    assert played.seen == ["list a b", "watching", "c", "gone a", "the end"]
    assert played.asked == [LIST, WATCH, WATCH, WATCH]
    assert played.versions == ["10", "20", "20"]
    assert played.connections == 1, "a watch that ends is taken up on the same connection"


def test_a_list_in_pages_is_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, page("a", more="x="), page("b"))
    assert played.seen[0] == "list a b"
    assert played.asked[:2] == [LIST, "limit=500&continue=x%3D"]


def test_where_the_place_in_time_is_gone_the_latest_list_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, page("a"), gone, page("b"))
    assert [each for each in played.seen if each.startswith("list")] == ["list a", "list b"]
    assert played.asked[2] == "limit=500", "not from a memory that may be older still"


def test_trouble_is_told_once_and_waited_for_ever_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, refused, refused, refused, broken, page("a"), events(("ADDED", "b", "11")), broken)
    assert played.seen[:5] == ["403 forbidden", "it has gone", "list a", "watching", "b"]
    for number, pause in enumerate(played.pauses[:4]):
        longest = reflector.FIRST_PAUSE_SECONDS * 2**number
        assert longest / 2 <= pause <= longest
    assert played.pauses[4] <= reflector.FIRST_PAUSE_SECONDS, "an event ends the row"


def test_pauses_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, *[refused] * 12)
    assert max(played.pauses) <= reflector.LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("line", [b'{"type": "ADDED"}\n', b"nothing\n", b"[]\n"])
def test_what_is_no_event_begins_a_new_connection(monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    played = Played(monkeypatch, page("a"), lambda: iter([line]), events())
    assert played.connections == 2
    assert played.seen[:2] == ["list a", "watching"]
    assert played.seen[3] == "watching", "and goes on"
