"""The plugin `cache`, read: how long answers of which names are remembered, and what of its options has a key here."""

from dataclasses import dataclass
from typing import Final

from resolver.migration.caddyfile import Directive
from resolver.migration.forwarding import Tell
from resolver.migration.names import is_below, read_zone
from resolver.migration.quantities import duration, seconds_of, whole
from resolver.migration.remarks import Grade

MOST_TTL = 604_800
_MOST_STALE_SECONDS = 719 * 3600
_MOST_STALE_AFTER_SECONDS = 59.0
_FAILURES_SECONDS = 5.0


@dataclass(slots=True)
class Caching:
    """One `cache`. `zones` are the names it is for, () for all of its block.

    `stale_seconds` is None where stale answers are not spoken of, `stale_after_seconds` where nothing is said of when.
    """

    max_ttl: int = 3600
    max_nttl: int = 1800
    zones: tuple[str, ...] = ()
    without_success: tuple[str, ...] = ()
    without_denial: tuple[str, ...] = ()
    stale_seconds: float | None = None
    stale_after_seconds: float | None = None
    prefetch: bool = False
    entries: int = 0

    def ttls(self, name: str) -> tuple[int, int]:
        """(maxTTL, maxNTTL) of a name."""
        if self.zones and not any(is_below(name, zone) for zone in self.zones):
            return 0, 0
        success = 0 if any(is_below(name, zone) for zone in self.without_success) else self.max_ttl
        denial = 0 if any(is_below(name, zone) for zone in self.without_denial) else self.max_nttl
        return success, denial


NOT_CACHED = Caching(0, 0)
"""Of a block without the plugin."""


def read_cache(directive: Directive, tell: Tell) -> Caching:
    """Whatever cannot be carried over, `tell` has heard of."""
    found = Caching()
    args = list(directive.args)
    if args and (ttl := whole(args[0].text)) is not None:
        found.max_ttl = found.max_nttl = ttl
        args.pop(0)
    zones: list[str] = []
    for each in args:
        try:
            zones += read_zone(each.text)
        except ValueError as error:
            tell(each, f"cache {each.text}", Grade.LEFT_OUT, str(error))
    found.zones = tuple(zones)
    for line in directive.body:
        _read_option(line, found, tell)
    for what in ("max_ttl", "max_nttl"):
        if getattr(found, what) > MOST_TTL:
            setattr(found, what, MOST_TTL)
            tell(directive.name, "cache", Grade.CHANGED, f"nothing is remembered for more than {MOST_TTL} s")
    return found


_WITHOUT_KEY: Final = {
    "keepttl": (Grade.CHANGED, "answers carry the TTL that is left, or clients would add it up"),
    "serve_stale_policy": (
        Grade.NOTE,
        "stale answers stand in for silence and failures, and give way to what a server says",
    ),
}


def _read_option(line: Directive, found: Caching, tell: Tell) -> None:
    name, words = line.name.text, line.words
    match name:
        case "success" | "denial":
            _read_kind(line, found, tell)
        case "prefetch":
            found.prefetch = words[:1] != ["0"]
            tell(
                line.name,
                "cache: prefetch",
                Grade.NOTE,
                "cache.prefetch has no numbers: refreshed is what was asked for in three different seconds",
            )
        case "serve_stale":
            _read_stale(line, found, tell)
        case "servfail":
            seconds = seconds_of(words[0]) if words else None
            grade = Grade.NOTE if seconds == _FAILURES_SECONDS else Grade.CHANGED
            tell(
                line.name,
                "cache: servfail",
                grade,
                "failures are remembered for 5 s at most",
            )
        case "disable":
            _read_disable(line, found, tell)
        case _ if name in _WITHOUT_KEY:
            tell(line.name, f"cache: {name}", *_WITHOUT_KEY[name])
        case _:
            tell(line.name, f"cache: {name}", Grade.LEFT_OUT, "not an option that is known here")


def _read_kind(line: Directive, found: Caching, tell: Tell) -> None:
    """`success CAPACITY [TTL] [MINTTL]`, `denial` likewise."""
    name = line.name.text
    numbers = [whole(word) for word in line.words[:3]]
    if not numbers or None in numbers:
        tell(line.name, f"cache: {name}", Grade.LEFT_OUT, "CAPACITY [TTL] [MINTTL] was expected, in numbers")
        return
    known = [number for number in numbers if number is not None]
    found.entries += known[0]
    if known[1:]:
        if name == "success":
            found.max_ttl = known[1]
        else:
            found.max_nttl = known[1]
    if known[2:] and known[2] > 0:
        tell(
            line.name,
            f"cache: {name}",
            Grade.CHANGED,
            f"an answer is remembered for no longer than it says, also where that is less than {known[2]} s",
        )


def _read_stale(line: Directive, found: Caching, tell: Tell) -> None:
    """`serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]`"""
    words = line.words
    seconds = seconds_of(words[0]) if words else 3600.0
    if seconds is None:
        tell(line.name, "cache: serve_stale", Grade.LEFT_OUT, "a duration was expected")
        return
    found.stale_seconds = min(seconds, _MOST_STALE_SECONDS)
    if seconds > _MOST_STALE_SECONDS:
        tell(
            line.name,
            "cache: serve_stale",
            Grade.CHANGED,
            f"serveStale is {duration(_MOST_STALE_SECONDS)}, the longest there is",
        )
    mode = words[1].lower() if words[1:] else "immediate"
    told = "stale answers have a TTL of at most 30 s here, and say that they are stale (EDE 3)"
    if mode == "immediate":
        found.stale_after_seconds = 0.0
    elif words[2:] and (after := seconds_of(words[2])) is not None:
        found.stale_after_seconds = min(after, _MOST_STALE_AFTER_SECONDS)
    else:
        told += "; clients wait for a fresh one for cache.staleAfter"
    tell(line.name, "cache: serve_stale", Grade.NOTE, told)


def _read_disable(line: Directive, found: Caching, tell: Tell) -> None:
    """`disable success|denial [ZONES...]`"""
    zones: list[str] = []
    for each in line.args[1:]:
        try:
            zones += read_zone(each.text)
        except ValueError as error:
            tell(each, f"cache: disable {each.text}", Grade.LEFT_OUT, str(error))
            return
    match line.words[:1]:
        case ["success"]:
            found.without_success = tuple(zones) or (".",)
        case ["denial"]:
            found.without_denial = tuple(zones) or (".",)
        case _:
            tell(line.name, "cache: disable", Grade.LEFT_OUT, "success or denial was expected")
