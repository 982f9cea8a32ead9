"""Keeps a picture of one kind of object up to date: list, then watch from there, for ever. One thread runs it.

As Kubernetes' own clients do it: the list comes from the API server's memory (resourceVersion=0), the watch has
bookmarks, so that it is taken up again where it ended, and ends by itself after some minutes, so that connections move
to API servers that are new. Where the API server no longer knows that place (410), the list is taken again. Whatever
goes wrong is tried again, ever more slowly, with jitter: thousands of nodes lose their API server at the same moment.
"""

from collections.abc import Callable, Iterator
from random import uniform
from threading import Event
from typing import Any, Final, Protocol
from urllib.parse import quote

from resolver.kubernetes.http import Connection, Credentials, Place, Refused
from resolver.kubernetes.streams import Lines, Listing, Unreadable

PAGE: Final = 500
"""Items of one page of a list, where the API server divides it."""
WATCH_SECONDS: Final = 300
"""A watch lasts so long, or up to twice as long."""
SILENCE_SECONDS: Final = 30.0
"""Beyond its end, after which a watch that says nothing counts as dead; keepalive finds most of them sooner."""
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 30.0
_GONE = 410

Document = dict[str, Any]


class Consumer(Protocol):
    """Who keeps the picture."""

    def listed(self, documents: Iterator[Document]) -> None:
        """All that there is; what it raises goes through, and then nothing may have changed."""

    def changed(self, document: Document, *, gone: bool) -> None:
        """One object is new, different or gone."""

    def watching(self, trouble: str) -> None:
        """Whether the picture is kept up to date: "" or why not. Told whenever that changes."""


class Reflector:
    """`run` never returns but when `stopped` is set. `path` is the collection's; `selector` is of labels."""

    def __init__(
        self,
        place: Place,
        known: Callable[[], Credentials],
        path: str,
        selector: str,
        consumer: Consumer,
        stopped: Event | None = None,
        fields: str = "",
    ) -> None:
        self._place, self._known, self._consumer = place, known, consumer
        self._path = f"{path}?" + (f"labelSelector={quote(selector)}&" if selector else "")
        self._path += f"fieldSelector={quote(fields)}&" if fields else ""
        self._stopped = stopped or Event()
        self._version: str | None = "0"
        """None: list the latest that there is."""
        self._listed = False
        self._pause = FIRST_PAUSE_SECONDS
        self._trouble: str | None = None

    def run(self) -> None:
        """Keep it up to date."""
        while not self._stopped.is_set():
            try:
                self._once()
            except (OSError, Unreadable, ValueError) as error:
                self._failed(str(error) or type(error).__name__)
            except Refused as refusal:
                if refusal.status == _GONE:
                    self._listed, self._version = False, None
                self._failed(str(refusal), quiet=refusal.status == _GONE)

    def _once(self) -> None:
        """List if there is a need to, and watch until something ends it."""
        connection = Connection(self._place, self._known())
        try:
            if not self._listed:
                self._list(connection)
            while not self._stopped.is_set():
                self._watch(connection)
        finally:
            connection.close()

    def _list(self, connection: Connection) -> None:
        first: list[str] = []
        self._consumer.listed(self._items(connection, first))
        self._version, self._listed = first[0], True
        self._told("")

    def _items(self, connection: Connection, versions: list[str]) -> Iterator[Document]:
        """Of all pages; `versions` gets the resourceVersion of each."""
        page = f"{self._path}limit={PAGE}"
        query = page if self._version is None else f"{page}&resourceVersion={self._version}"
        while True:
            listing = Listing()
            for data in connection.get(query):
                yield from listing.feed(data)
            yield from listing.end()
            versions.append(listing.version)
            if not listing.more:
                return
            query = f"{page}&continue={quote(listing.more)}"

    def _watch(self, connection: Connection) -> None:
        seconds = int(uniform(1, 2) * WATCH_SECONDS)  # noqa: S311 - spread, no secret
        query = f"{self._path}watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={self._version}"
        lines = Lines()
        for data in connection.get(query, seconds + SILENCE_SECONDS):
            for event in lines.feed(data):
                self._take(event)
            self._told("")

    def _take(self, event: Document) -> None:
        document = event.get("object")
        if not isinstance(document, dict):
            raise Unreadable("an event without an object")
        kind = event.get("type")
        if kind == "ERROR":
            raise Refused(int(document.get("code") or 0), str(document.get("message", "")))
        if kind in ("ADDED", "MODIFIED", "DELETED"):
            self._consumer.changed(document, gone=kind == "DELETED")
        version = (document.get("metadata") or {}).get("resourceVersion")
        if version:
            self._version = str(version)
        self._pause = FIRST_PAUSE_SECONDS

    def _failed(self, trouble: str, *, quiet: bool = False) -> None:
        if not quiet:
            self._told(trouble)
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self._stopped.wait(uniform(0.5, 1) * pause)  # noqa: S311 - as above

    def _told(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._consumer.watching(trouble)
