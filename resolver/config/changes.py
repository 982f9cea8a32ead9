"""What of a configuration is not done: keys that this version does not serve yet, changes that wait for a restart."""

from collections.abc import Iterator

from resolver.config.problems import Problem
from resolver.config.schema import CONFIG
from resolver.config.shape import Key, Section
from resolver.config.values import Config


def restart_needed(old: Config, new: Config) -> tuple[str, ...]:
    """Return the paths of the keys that differ and take effect only after a restart, such as ("listen.workers",)."""
    return tuple(path for path, key in _changed(old, new, CONFIG, "") if key.restart and not key.not_yet)


def without_effect(config: Config) -> tuple[Problem, ...]:
    """Return the keys that ask for what this version does not do, each with what holds instead."""
    return tuple(
        Problem(path, f"not available in this version, {key.not_yet}")
        for path, key in _changed(Config(), config, CONFIG, "")
        if key.not_yet
    )


def _changed(old: object, new: object, section: Section, prefix: str) -> Iterator[tuple[str, Key]]:
    """The keys whose values differ, with their paths; `zones` counts as one."""
    for key in section.keys:
        before, after = getattr(old, key.field), getattr(new, key.field)
        if isinstance(key.value, Section):
            yield from _changed(before, after, key.value, f"{prefix}{key.name}.")
        elif before != after:
            yield prefix + key.name, key
