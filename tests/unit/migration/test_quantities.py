"""Go's durations and numbers."""

import pytest

from resolver.migration.quantities import duration, seconds_of, whole


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("0s", 0.0), ("300ms", 0.3), ("1.5h", 5400.0), ("1h30m", 5400.0), (".5s", 0.5), ("2us", 2e-6),
        ("", None), ("5", None), ("5x", None), ("-5s", None), ("1h 30m", None), ("999999999999h", None),
    ],
)  # fmt: skip
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == pytest.approx(seconds) if seconds is not None else seconds_of(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.3, "300ms"), (90.0, "90s"), (120.0, "2m"), (7200.0, "2h"), (1.5, "1500ms"), (1e-6, "0s")],
)
def test_a_duration_is_written_as_resolver_yaml_wants_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("9984", 9984), ("-1", None), ("1e3", None), ("", None), ("٣", None)]
)
def test_a_number_is_decimal_and_not_negative(text: str, number: int | None) -> None:
    assert whole(text) == number
