"""The text format, beside prometheus_client: what it writes and what it reads."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from resolver.histogram import BOUNDS_SECONDS, Histogram
from resolver.ops.families import Values, counter, gauge, histogram, merged

NUMBERS = st.one_of(
    st.integers(0, 999_999),
    st.floats(0, 999_999, allow_nan=False),
    st.sampled_from([float("inf"), float("nan"), 2**53]),
)
SAMPLES = st.dictionaries(st.tuples(st.text(), st.text()), NUMBERS, max_size=4)


class Only:
    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def collect(self) -> Iterable[Metric]:
        return [self.metric]


def read(text: str) -> list[tuple[str, str, str, list[tuple[str, dict[str, str], str]]]]:
    """What Prometheus's own parser makes of it; values as text, because NaN is not equal to itself."""
    return [
        (
            family.name,
            family.type,
            family.documentation,
            [(sample.name, sample.labels, repr(float(sample.value))) for sample in family.samples],
        )
        for family in text_string_to_metric_families(text)
    ]


def theirs(metric: Metric) -> str:
    text: bytes = generate_latest(Only(metric))
    return text.decode()


@given(SAMPLES, st.text())
def test_counters_and_gauges_read_like_those_of_prometheus_client(samples: Mapping[Values, float], text: str) -> None:
    for ours, kind in ((counter, CounterMetricFamily), (gauge, GaugeMetricFamily)):
        family = kind("things_total", text, labels=["zone", "answer"])
        for values, value in samples.items():
            family.add_metric(values, value)
        assert read(ours("things_total", text, "zone answer", samples)) == read(theirs(family))


@given(st.dictionaries(st.text(), st.lists(st.floats(0, 20), max_size=5), max_size=3))
def test_histograms_read_like_those_of_prometheus_client(seen: Mapping[str, list[float]]) -> None:
    family = HistogramMetricFamily("took_seconds", "How long.", labels=["zone"])
    samples: dict[Values, Histogram] = {}
    for zone, durations in seen.items():
        took = samples[zone,] = Histogram()
        for seconds in durations:
            took.add(seconds)
        buckets = [(str(bound), sum(one <= bound for one in durations)) for bound in BOUNDS_SECONDS]
        family.add_metric([zone], [*buckets, ("+Inf", len(durations))], took.sum_seconds)
    assert read(histogram("took_seconds", "How long.", "zone", samples)) == read(theirs(family))


@pytest.mark.parametrize(
    ("labels", "samples", "lines"),
    [
        ("", {(): 3}, ["things_total 3.0"]),
        ("b a", {("1", "2"): 0.5}, ['things_total{a="2",b="1"} 0.5']),
        ("a", {('say "x"\\\n',): 1}, ['things_total{a="say \\"x\\"\\\\\\n"} 1.0']),
        ("a", {}, []),
    ],
)
def test_the_text_is_prometheus_clients_to_the_letter(
    labels: str, samples: Mapping[Values, float], lines: list[str]
) -> None:
    family = CounterMetricFamily("things_total", "Some\nthings.", labels=labels.split())
    for values, value in samples.items():
        family.add_metric(values, value)
    head = ["# HELP things_total Some\\nthings.", "# TYPE things_total counter"]
    assert counter("things_total", "Some\nthings.", labels, samples).splitlines() == head + lines
    assert theirs(family).splitlines() == head + lines


def test_merged_histograms_hold_what_both_saw() -> None:
    one, other = Histogram(), Histogram()
    one.add(0.001)
    other.add(0.001, times=2)
    other.add(100)
    both = merged(one, other)
    assert (sum(both.counts), both.counts[-1]) == (4, 1)
    assert both.sum_seconds == one.sum_seconds + other.sum_seconds
