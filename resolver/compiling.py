"""What the compiler of the hot modules (setup.py) has to be told, in a form that runs without it, too."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr

    __all__ = ["mypyc_attr"]
else:

    def mypyc_attr(**_told: object) -> Callable[[T], T]:
        """Tell nothing: whoever runs the source has no use for it."""
        return lambda decorated: decorated
