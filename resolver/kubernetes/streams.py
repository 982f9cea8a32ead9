"""Documents of the API server taken apart while they arrive, so that no list is ever in memory as a whole. Pure.

A list of 5,000 Services is 8 MB of JSON, and several times that as Python's objects; one item is a few KB. `Listing`
is fed the bytes of a list and gives its items one by one; `Lines` does the same for the events of a watch.
"""

import json
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any, Final

LONGEST: Final = 16 * 1024 * 1024
"""Characters of one item; etcd takes none above 1.5 MiB."""
_BLANK = " \t\r\n"


class Unreadable(ValueError):
    """What the API server sent is no list, or no watch."""


class Listing:
    """One page of a list: `feed` it, take the items that it gives; then `version` and `more` are known."""

    def __init__(self) -> None:
        self.version = ""
        """The list's resourceVersion, to watch from."""
        self.more = ""
        """Where the next page begins; "": there is none."""
        self._decode = getincrementaldecoder("utf-8")().decode
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._enough = 0
        self._within = False  # the list of items
        self._begun = self._over = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The items that are complete by now; raises Unreadable."""
        self._text += self._decode(data)
        if len(self._text) < self._enough:
            return
        if len(self._text) > LONGEST:
            raise Unreadable("an item is too long")
        at = 0
        while not self._over:
            end, item = self._step(at)
            if end is None:
                break
            at = end
            if item is not None:
                yield item
        self._text = self._text[at:]
        self._enough = 2 * len(self._text)  # what was not enough is not tried again for every packet

    def end(self) -> Iterator[dict[str, Any]]:
        """That was all: the last items; raises Unreadable where it was not all."""
        self._enough = 0
        yield from self.feed(b"")
        if not self._over:
            raise Unreadable("a list that ends in the middle")

    def _step(self, at: int) -> tuple[int | None, dict[str, Any] | None]:
        """Take one token, key with value, or item from `at`: where it ends (None: not here yet), and the item."""
        text = self._text
        while at < len(text) and text[at] in _BLANK + ",":
            at += 1
        if at == len(text):
            return None, None
        if not self._begun:
            if text[at] != "{":
                raise Unreadable("no object")
            self._begun = True
            return at + 1, None
        if self._within:
            return self._item(at)
        if text[at] == "}":
            self._over = True
            return at + 1, None
        return self._key(at), None

    def _item(self, at: int) -> tuple[int | None, dict[str, Any] | None]:
        if self._text[at] == "]":
            self._within = False
            return at + 1, None
        item, end = self._value(at)
        if end is not None and not isinstance(item, dict):
            raise Unreadable("an item that is no object")
        return end, item

    def _key(self, at: int) -> int | None:
        key, end = self._value(at)
        if end is None:
            return None
        text = self._text
        while end < len(text) and text[end] in _BLANK + ":":
            end += 1
        if end == len(text):
            return None
        if key == "items" and text[end] == "[":
            self._within = True
            return end + 1
        value, end = self._value(end)
        if end is None or end == len(text):  # a number might go on
            return None
        if key == "metadata" and isinstance(value, dict):
            self.version, self.more = str(value.get("resourceVersion", "")), str(value.get("continue") or "")
        return end

    def _value(self, at: int) -> tuple[Any, int | None]:
        try:
            return self._decoder.raw_decode(self._text, at)
        except (ValueError, RecursionError):
            return None, None


class Lines:
    """A watch: one JSON object per line."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The events that are complete by now; raises Unreadable."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            raise Unreadable("an event is too long")
        for line in lines:
            if not line.strip():
                continue
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                raise Unreadable("an event that is no JSON") from None
            if not isinstance(event, dict):
                raise Unreadable("an event that is no object")
            yield event
