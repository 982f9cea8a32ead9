"""Resolvers that play scenarios behind real sockets: Unbound and CoreDNS as references, and ours.

Each is told a scenario's settings in words of its own. A setting that it does not have is left out: then a story that
needs it says `skips` or `differs`.
"""

import asyncio
import functools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from resolver.config import Admin, Cache, Config, Listen, Transport, Upstream, Zone
from resolver.core import Resolver
from resolver.listen.holdings import Holdings
from tests import needs
from tests.lab.waiting import wait_until
from tests.scenarios.stage import Settings, servers_of
from tests.scenarios.wire import Peer, bound_pair

Ports = Mapping[str, int]
Start = Callable[[Settings, str, Ports], Peer]
"""Makes one of a story's settings, the address it is to have, and the ports of its servers there."""

_STALE_AFTER_SECONDS = 1.8
_TCP_LISTEN = "0A"


class Process:
    """A reference: a program with a configuration in a folder of its own."""

    exact = False
    reasons: frozenset[str] | None = frozenset()

    def __init__(
        self, place: tuple[str, int], folder: Path, command: list[str], environment: Mapping[str, str]
    ) -> None:
        self.place = place
        self._folder = folder
        self._log = (folder / "log").open("wb")
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=folder,
            env={**os.environ, **environment},
        )  # fmt: skip
        try:
            wait_until(self._is_up, f"{command[0]} at {place}")
        except BaseException:
            self.stop()
            raise

    def _is_up(self) -> bool:
        if self._child.poll() is not None:
            raise AssertionError((self._folder / "log").read_text())
        return _takes(self.place)

    def jump(self, seconds: int) -> bool:
        """Its clock is the machine's."""
        return False

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
        self._log.close()


class Unbound(Process):
    """Unbound under libfaketime: the wall clock, by which it counts TTLs, can be set forward; its timers stay real."""

    reasons: frozenset[str] | None = frozenset(("3",))

    def __init__(self, settings: Settings, address: str, ports: Ports, folder: Path) -> None:
        place = address, _free_port(address)
        (folder / "unbound.conf").write_text(_unbound_conf(settings, place, ports, folder))
        self._offset = 0
        self._clock = folder / "clock"
        self._clock.write_text("+0")
        environment = {
            "LD_PRELOAD": str(_libfaketime()), "FAKETIME_NO_CACHE": "1", "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
        super().__init__(place, folder, [str(needs.program("unbound")), "-d", "-c", "unbound.conf"], environment)

    def jump(self, seconds: int) -> bool:
        """Set the clock forward."""
        self._offset += seconds
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"+{self._offset}s")
        fresh.replace(self._clock)
        return True


@functools.cache
def _libfaketime() -> Path:
    """The library below Debian's `faketime`, which gives its clock no order of its own but a file's."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def _unbound_conf(settings: Settings, place: tuple[str, int], ports: Ports, folder: Path) -> str:
    zones, cache = settings.zones, settings.cache
    first = zones[0]
    stale = first.serve_stale_seconds
    lines = [
        "server:",
        f"interface: {place[0]}@{place[1]}", "access-control: 127.0.0.0/8 allow_snoop",
        'username: ""', 'chroot: ""', 'pidfile: ""', f'directory: "{folder}"', "use-syslog: no", 'logfile: ""',
        "do-daemonize: no", "num-threads: 1", 'module-config: "iterator"', "do-not-query-localhost: no",
        'root-hints: ""', "msg-cache-size: 1m", "rrset-cache-size: 1m", "infra-cache-numhosts: 100",
        "outgoing-range: 60", "num-queries-per-thread: 30", "minimal-responses: no", "rrset-roundrobin: no",
        "ede: yes", "ede-serve-expired: yes", "edns-buffer-size: 1232", "max-udp-size: 1232",
        'local-zone: "10.in-addr.arpa." nodefault',
        f"cache-max-ttl: {first.max_ttl}", f"cache-max-negative-ttl: {first.max_nttl}",
        f"serve-expired: {'yes' if stale else 'no'}", f"serve-expired-ttl: {int(stale)}",
        f"serve-expired-client-timeout: {int(_stale_after(cache) * 1000)}",
        f"prefetch: {'yes' if cache.prefetch else 'no'}",
        "remote-control:", "control-enable: no",
    ]  # fmt: skip
    for zone in zones:
        tcp = "yes" if zone.transport is Transport.TCP else "no"
        for name in zone.names:
            lines += ["forward-zone:", f'name: "{name}"', f"forward-tcp-upstream: {tcp}"]
            lines += [f"forward-addr: {place[0]}@{ports[server]}" for server in servers_of(zone)]
    return "\n".join(lines) + "\n"


def unbound(folder: Path) -> Start:
    """What starts Unbound, with its files below `folder`."""

    def start(settings: Settings, address: str, ports: Ports) -> Peer:
        own = folder / address
        own.mkdir()
        return Unbound(settings, address, ports, own)

    return start


def coredns(binary: Path, folder: Path) -> Start:
    """What starts CoreDNS, with its files below `folder`: the plugins cache and forward, as in NodeLocal DNSCache."""

    def start(settings: Settings, address: str, ports: Ports) -> Peer:
        place, own = (address, _free_port(address)), folder / address
        own.mkdir()
        (own / "Corefile").write_text("\n".join(_server_block(zone, settings, place, ports) for zone in settings.zones))
        return Process(place, own, [str(binary), "-conf", "Corefile"], {"GOMAXPROCS": "2"})

    return start


def _server_block(zone: Zone, settings: Settings, place: tuple[str, int], ports: Ports) -> str:
    cache = settings.cache
    force = "force_tcp" if zone.transport is Transport.TCP else ""
    servers = " ".join(f"{place[0]}:{ports[server]}" for server in servers_of(zone))
    stale = f"serve_stale {int(zone.serve_stale_seconds)}s verify" if zone.serve_stale_seconds else ""
    return f"""\
{" ".join(f"{name}:{place[1]}" for name in zone.names)} {{
    bind {place[0]}
    forward . {servers} {{
        {force}
        policy sequential
        max_fails 0
    }}
    cache {{
        success 9984 {zone.max_ttl} 0
        denial 9984 {zone.max_nttl} 0
        {stale}
        {"prefetch 2 1m 10%" if cache.prefetch else ""}
    }}
}}
"""


class Ours:
    """Resolvers of our own, all in one loop: engine, listeners and channels as a worker has them."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="our resolvers")

    def __enter__(self) -> Start:
        self._thread.start()
        return self._start

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, settings: Settings, address: str, ports: Ports) -> Peer:
        return OurPeer(self._loop, settings, address, ports)


class OurPeer:
    """One of them."""

    exact = True
    reasons: frozenset[str] | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, address: str, ports: Ports) -> None:
        self.place = (address, _free_port(address))
        admin = next(port for port in iter(lambda: _free_port(address), None) if port != self.place[1])
        self._loop = loop
        zones = tuple(
            _patient(zone)._replace(upstreams=tuple(Upstream(address, ports[server]) for server in servers_of(zone)))
            for zone in settings.zones
        )
        listen = Listen(addresses=(address,), port=self.place[1])
        self._config = Config(
            listen=listen,
            zones=zones,
            cache=settings.cache._replace(stale_after_seconds=_stale_after(settings.cache)),
            admin=Admin(address, admin),
        )
        self._holdings = Holdings()
        self._run(self._begin())

    async def _begin(self) -> None:
        self._holdings.commit(self._holdings.prepare(self._config))
        self._resolver = Resolver(self._config)
        await self._resolver.start(self._holdings.of_worker(0))

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)  # type: ignore[arg-type]

    def jump(self, seconds: int) -> bool:
        """Its clock is the loop's."""
        return False

    def stop(self) -> None:
        async def end() -> None:
            await self._resolver.close()
            self._holdings.close()

        self._run(end())


def _stale_after(cache: Cache) -> float:
    """Likewise: what comes at once must count as such."""
    return _STALE_AFTER_SECONDS if cache == Cache() else cache.stale_after_seconds


def _patient(zone: Zone) -> Zone:
    """With more time for a server that shares a busy machine with many others; a story's own times stay."""
    if zone.attempt_timeout_seconds != Zone((), ()).attempt_timeout_seconds:
        return zone
    return zone._replace(attempt_timeout_seconds=3.0, timeout_seconds=3.5)


def _free_port(address: str) -> int:
    """A port that is free there, over TCP and UDP."""
    udp, tcp = bound_pair(address)
    with udp, tcp:
        return int(udp.getsockname()[1])


def _takes(place: tuple[str, int]) -> bool:
    """Whether somebody listens there, over TCP and UDP, as the kernel's lists have it (proc_pid_net(5))."""
    address, port = place
    wanted = f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
    return all(wanted in _listening(transport) for transport in ("udp", "tcp"))


def _listening(transport: str) -> set[str]:
    lines = (line.split() for line in Path("/proc/thread-self/net", transport).read_text().splitlines()[1:])
    return {words[1] for words in lines if transport == "udp" or words[3] == _TCP_LISTEN}
