"""What of a new configuration cannot be taken over by a running process."""

from collections.abc import Iterator

from resolver.config.schema import CONFIG
from resolver.config.shape import Section
from resolver.config.values import Config


def restart_needed(old: Config, new: Config) -> tuple[str, ...]:
    """Return the paths of the keys that differ and take effect only after a restart, such as ("listen.workers",)."""
    return tuple(_changed(old, new, CONFIG, ""))


def _changed(old: object, new: object, section: Section, prefix: str) -> Iterator[str]:
    for key in section.keys:
        before, after = getattr(old, key.field), getattr(new, key.field)
        if isinstance(key.value, Section):
            yield from _changed(before, after, key.value, f"{prefix}{key.name}.")
        elif key.restart and before != after:
            yield prefix + key.name
