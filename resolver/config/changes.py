"""What of a changed configuration waits for a restart.

The table of all keys (`schema.py`) says the same for the documentation, and a test compares the two: whoever watches
the file does not keep that table in memory.
"""

from typing import Final

from resolver.config.values import Config

RESTART: Final = (
    ("listen.workers", "listen", "workers"),
    ("node.manageInterface", "node", "manage_interface"),
    ("node.interface", "node", "interface"),
    ("node.notrack", "node", "notrack"),
    ("node.handoverSocket", "node", "handover_socket"),
    ("node.user", "node", "user"),
    ("admin.top", "admin", "top"),
    ("admin.ownersFile", "admin", "owners_file"),
)
"""Paths of keys, and where in Config their values are."""


def restart_needed(old: Config, new: Config) -> tuple[str, ...]:
    """Return the paths of the keys that differ and take effect only after a restart, such as ("listen.workers",)."""
    return tuple(
        path
        for path, topic, field in RESTART
        if getattr(getattr(old, topic), field) != getattr(getattr(new, topic), field)
    )
