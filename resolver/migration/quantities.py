"""Numbers and durations as Go writes them, and as resolver.yaml does."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST_SECONDS = 1e9


def seconds_of(text: str) -> float | None:
    """A duration of Go's (time.ParseDuration) in seconds, never negative; None for anything else."""
    if text == "0":
        return 0.0
    if not re.fullmatch(f"(?:{_PART.pattern})+", text, re.ASCII):
        return None
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return total if total <= _LONGEST_SECONDS else None


def duration(seconds: float) -> str:
    """As resolver.yaml writes it, to the millisecond."""
    thousandths = round(seconds * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if thousandths % size == 0 and thousandths >= size:
            return f"{thousandths // size}{unit}"
    return f"{thousandths}ms" if thousandths else "0s"


def whole(text: str) -> int | None:
    """A decimal number that is not negative; None for anything else."""
    return int(text) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else None
