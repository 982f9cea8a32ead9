"""Every test here runs on both event loops."""

from tests.unit.listen.fakes import _run

__all__ = ["_run"]
