"""Measurements: ratios between programs in one run, or plain figures of one program. Tests assert no durations."""
