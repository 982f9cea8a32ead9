"""resolver.yaml and webhook.yaml: a configuration or a list of mistakes; a right one survives its way to a worker.

Input: an octet that chooses the file, then its text.
"""

import json
from collections.abc import Iterator

from resolver.config import Config, ConfigError, load
from resolver.config.document import complete_example
from resolver.config.plain import from_plain, to_plain
from webhook import schema

ENVIRONMENT = {"NAME": "10.96.0.10", "EMPTY": ""}


def seeds() -> Iterator[bytes]:
    yield b"\0" + complete_example().encode()
    yield b"\0zones:\n- names: [.]\n  upstreams: [/etc/resolv.conf, '[::1]:53', $(NAME)]\n  transport: tls\n"
    yield b"\0listen: {addresses: ['::', 0.0.0.0], port: 5353, allowedClients: [10.0.0.0/8]}\ncache: {size: 1Mi}\n"
    yield b"\0a: &a [1, 2.5, ~, yes, 0x1f, 1:30, 2001-01-01, !!str x]\nb: {<<: *a}\nc: |\n  text\n"
    yield b"\1listen: {address: '::', port: 8443}\ntls: {mode: self}\ndns: {clusterDNS: [10.96.0.10], ndots: 2}\n"
    yield b"\1" + b"[" * 50


def check(data: bytes) -> None:
    if not data:
        return
    text = data[1:].decode("utf-8", "replace")
    try:
        config = load(text, "f", ENVIRONMENT) if not data[0] & 1 else schema.load(text, "f")
    except ConfigError as error:
        assert error.problems
        assert len(str(error).split("\n")) == len(error.problems), "a line for each mistake"
        return
    if isinstance(config, Config):
        assert from_plain(json.loads(json.dumps(to_plain(config)))) == config
