"""Metric families from mappings of label values to numbers: prometheus_client's classes in the form the folds need."""

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from resolver.histogram import BOUNDS_SECONDS, Histogram

Values = tuple[str, ...]
"""One value for each label."""
_BOUNDS = (*map(str, BOUNDS_SECONDS), "+Inf")


def counter(name: str, text: str, labels: str, samples: Mapping[Values, float]) -> Metric:
    """A counter; `labels` are names with spaces between, each key of `samples` has a value for each."""
    family = CounterMetricFamily(name, text, labels=labels.split())
    for values, value in samples.items():
        family.add_metric(values, value)
    return family


def gauge(name: str, text: str, labels: str, samples: Mapping[Values, float]) -> Metric:
    """A gauge; arguments as for `counter`."""
    family = GaugeMetricFamily(name, text, labels=labels.split())
    for values, value in samples.items():
        family.add_metric(values, value)
    return family


def histogram(name: str, text: str, labels: str, samples: Mapping[Values, Histogram]) -> Metric:
    """A histogram; arguments as for `counter`."""
    family = HistogramMetricFamily(name, text, labels=labels.split())
    for values, took in samples.items():
        total = 0
        buckets = []
        for bound, count in zip(_BOUNDS, took.counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(values, buckets, took.sum_seconds)
    return family


def merged(one: Histogram, other: Histogram) -> Histogram:
    """The observations of both."""
    both = Histogram()
    both.counts = [mine + its for mine, its in zip(one.counts, other.counts, strict=True)]
    both.sum_seconds = one.sum_seconds + other.sum_seconds
    return both
