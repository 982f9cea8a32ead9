"""What of a changed configuration waits for a restart."""

from collections.abc import Iterator

from resolver.config.schema import CONFIG
from resolver.config.shape import Key, Section
from resolver.config.values import Config


def restart_needed(old: Config, new: Config) -> tuple[str, ...]:
    """Return the paths of the keys that differ and take effect only after a restart, such as ("listen.workers",)."""
    return tuple(path for path, key in _changed(old, new, CONFIG, "") if key.restart)


def _changed(old: object, new: object, section: Section, prefix: str) -> Iterator[tuple[str, Key]]:
    """The keys whose values differ, with their paths; `zones` counts as one."""
    for key in section.keys:
        before, after = getattr(old, key.field), getattr(new, key.field)
        if isinstance(key.value, Section):
            yield from _changed(before, after, key.value, f"{prefix}{key.name}.")
        elif before != after:
            yield prefix + key.name, key
