"""Metrics as text in Prometheus's format (version 0.0.4), from mappings of label values to numbers.

Written by hand, as few things here are: prometheus_client and what it imports (an HTTP server, OpenSSL) take 8 MiB of
memory, a third of the resolver's. In the tests it reads and writes the same metrics, and both must agree.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from resolver.histogram import BOUNDS_SECONDS, Histogram

Values = tuple[str, ...]
"""One value for each label."""
_BOUNDS: Final = (*map(str, BOUNDS_SECONDS), "+Inf")
_IN_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_VALUES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def counter(name: str, text: str, labels: str, samples: Mapping[Values, float]) -> str:
    """A counter; `labels` are names with spaces between, each key of `samples` has a value for each."""
    return _metric("counter", name, text, _plain(name, labels, samples))


def gauge(name: str, text: str, labels: str, samples: Mapping[Values, float]) -> str:
    """A gauge; arguments as for `counter`."""
    return _metric("gauge", name, text, _plain(name, labels, samples))


def histogram(name: str, text: str, labels: str, samples: Mapping[Values, Histogram]) -> str:
    """A histogram; arguments as for `counter`."""
    lines = []
    names = labels.split()
    for values, took in samples.items():
        total = 0
        for bound, count in zip(_BOUNDS, took.counts, strict=True):
            total += count
            lines.append(_sample(name + "_bucket", [*names, "le"], (*values, bound), total))
        lines.append(_sample(name + "_count", names, values, total))
        lines.append(_sample(name + "_sum", names, values, took.sum_seconds))
    return _metric("histogram", name, text, lines)


def merged(one: Histogram, other: Histogram) -> Histogram:
    """The observations of both."""
    both = Histogram()
    both.counts = [mine + its for mine, its in zip(one.counts, other.counts, strict=True)]
    both.sum_seconds = one.sum_seconds + other.sum_seconds
    return both


def _metric(kind: str, name: str, text: str, lines: Iterable[str]) -> str:
    return f"# HELP {name} {text.translate(_IN_HELP)}\n# TYPE {name} {kind}\n{''.join(lines)}"


def _plain(name: str, labels: str, samples: Mapping[Values, float]) -> list[str]:
    names = labels.split()
    return [_sample(name, names, values, value) for values, value in samples.items()]


def _sample(name: str, labels: list[str], values: Values, value: float) -> str:
    pairs = ",".join(
        f'{label}="{text.translate(_IN_VALUES)}"' for label, text in sorted(zip(labels, values, strict=True))
    )
    return f"{name}{{{pairs}}} {float(value)!r}\n" if pairs else f"{name} {float(value)!r}\n"
