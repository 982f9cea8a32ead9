"""File descriptors: as many as connections and lookups may use, for the supervisor and the workers it forks."""

import logging
import resource
from typing import Final

from resolver.events import event

_log = logging.getLogger(__name__)

_FEW_DESCRIPTORS: Final = 4096
MAX_DESCRIPTORS: Final = 65536
"""More than the limits on connections and lookups can use; an endless limit makes some programs slow at exec."""


def allow_descriptors() -> None:
    """Raise the limit as far as the system's hard limit allows; few are said so."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < _FEW_DESCRIPTORS:
        event(_log, logging.WARNING, "few file descriptors, many TCP clients can use them up", limit=wanted)
