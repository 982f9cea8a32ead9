"""The resolver's configuration: the values others are built from, and what makes them out of text.

What knows every key is imported when it is first used: 1.5 MiB that processes which only use the values save.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from resolver.config.changes import restart_needed
from resolver.config.problems import ConfigError, Problem
from resolver.config.values import (
    DEFAULT_ZONES,
    Admin,
    Cache,
    Config,
    Kubernetes,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Node,
    Policy,
    ResolvConf,
    ServiceUpstream,
    Transport,
    Upstream,
    Zone,
    overlap,
)

if TYPE_CHECKING:
    from resolver.config.reading import build, load
    from resolver.config.resolvconf import parse_resolv_conf, parse_searches

__all__ = [
    "DEFAULT_ZONES",
    "Admin",
    "Cache",
    "Config",
    "ConfigError",
    "Kubernetes",
    "Listen",
    "Log",
    "LogFormat",
    "LogLevel",
    "Node",
    "Policy",
    "Problem",
    "ResolvConf",
    "ServiceUpstream",
    "Transport",
    "Upstream",
    "Zone",
    "build",
    "load",
    "overlap",
    "parse_resolv_conf",
    "parse_searches",
    "restart_needed",
]

_WHEN_USED = {
    "build": "resolver.config.reading",
    "load": "resolver.config.reading",
    "parse_resolv_conf": "resolver.config.resolvconf",
    "parse_searches": "resolver.config.resolvconf",
}


def __getattr__(name: str) -> object:
    module = _WHEN_USED.get(name)
    if module is None:
        raise AttributeError(name)
    return getattr(import_module(module), name)
