"""The resolver's configuration: the values others are built from, and what makes them out of text."""

from resolver.config.changes import restart_needed
from resolver.config.problems import ConfigError, Problem
from resolver.config.reading import build, load
from resolver.config.resolvconf import parse_resolv_conf
from resolver.config.values import (
    DEFAULT_ZONES,
    Admin,
    Cache,
    Config,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Node,
    Policy,
    ResolvConf,
    Transport,
    Upstream,
    Zone,
    overlap,
)

__all__ = [
    "DEFAULT_ZONES",
    "Admin",
    "Cache",
    "Config",
    "ConfigError",
    "Listen",
    "Log",
    "LogFormat",
    "LogLevel",
    "Node",
    "Policy",
    "Problem",
    "ResolvConf",
    "Transport",
    "Upstream",
    "Zone",
    "build",
    "load",
    "overlap",
    "parse_resolv_conf",
    "restart_needed",
]
