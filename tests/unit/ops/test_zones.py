"""Which servers a zone has: those of its configuration and of the files it names, never the resolver itself."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from resolver.config import Config, Listen, ResolvConf, ServiceUpstream, Transport, Upstream, Zone
from resolver.ops.zones import Zones
from resolver.upstream.lookup import Lookups
from resolver.upstream.routes import Routes
from resolver.upstream.server import Server, Servers
from tests.unit.ops.stage import Channel


class Place:
    """Zones without lookups; `changed` has the routes that a changed file led to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changed: list[Routes[Server]] = []
        lookups = cast("Lookups", None)  # nothing is probed: `start` is never called
        servers = Servers(lambda _upstream, _transport, _alone: Channel())
        self.zones = Zones(asyncio.get_running_loop(), servers, lookups)
        self.zones.on_routes = self.changed.append

    def rewrite(self, text: str | None) -> None:
        """Change the file, and let two polls see it."""
        if text is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.write_text(text)
        for watch in self.zones._watches.values():
            watch.poll()
            watch.poll()


def in_place(folder: Path, claim: Callable[[Place], Awaitable[None]]) -> None:
    async def run() -> None:
        place = Place(folder / "resolv.conf")
        try:
            await claim(place)
        finally:
            place.zones.close()

    asyncio.run(run())


def names(*servers: str) -> str:
    return "".join(f"nameserver {server}\n" for server in servers)


def config(
    path: Path, *addresses: str, port: int = 53, transport: Transport = Transport.TCP, more: tuple[Upstream, ...] = ()
) -> Config:
    zone = Zone(names=(".",), upstreams=(ResolvConf(str(path)), *more), transport=transport)
    return Config(listen=Listen(addresses=addresses or ("169.254.20.10",), port=port), zones=(zone,))


def servers(routes: Routes[Server]) -> list[str]:
    (route,) = routes.all
    return [str(server) for server in route.servers]


def test_a_zone_asks_the_servers_of_its_file_each_once_on_the_port_of_its_transport(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        place.rewrite(names("192.0.2.1", "2001:db8::1"))
        again = (Upstream("192.0.2.1"), Upstream("192.0.2.7", 5353))
        wanted = ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.7:5353"]
        assert servers(place.zones.routes(config(place.path, more=again))) == wanted
        over_tls = place.zones.routes(config(place.path, transport=Transport.TLS))
        assert servers(over_tls) == ["192.0.2.1:853", "[2001:db8::1]:853"]

    in_place(tmp_path, claim)


def test_a_changed_file_changes_the_servers_and_keeps_those_that_stay(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        place.rewrite(names("192.0.2.1", "192.0.2.2"))
        (before,) = place.zones.routes(config(place.path)).all
        place.rewrite(names("192.0.2.2", "192.0.2.3"))
        (routes,) = place.changed
        assert servers(routes) == ["192.0.2.2:53", "192.0.2.3:53"]
        assert routes.all[0].servers[0] is before.servers[1]
        assert len(list(place.zones.servers)) == 2

    in_place(tmp_path, claim)


@pytest.mark.parametrize("text", ["", "# nobody\nsearch shop\n", None])
def test_a_file_that_names_nobody_any_more_leaves_the_servers_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    async def claim(place: Place) -> None:
        place.rewrite(names("192.0.2.1"))
        place.zones.routes(config(place.path))
        place.rewrite(text)
        assert place.changed == []
        assert servers(place.zones.routes(config(place.path))) == ["192.0.2.1:53"]
        place.rewrite(names("192.0.2.2"))
        assert servers(place.changed[-1]) == ["192.0.2.2:53"]

    in_place(tmp_path, claim)
    assert [record.levelname for record in caplog.records if "resolv.conf" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize(("text", "said"), [("search shop\n", "names no servers"), (None, "unreadable")])
def test_a_file_that_names_nobody_at_the_start_is_said_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, said: str
) -> None:
    async def claim(place: Place) -> None:
        place.rewrite(text)
        assert servers(place.zones.routes(config(place.path))) == []

    in_place(tmp_path, claim)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == f"resolv.conf {said}"


def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        assert servers(place.zones.routes(config(place.path))) == []
        place.rewrite(names("192.0.2.1"))
        assert servers(place.changed[-1]) == ["192.0.2.1:53"]

    in_place(tmp_path, claim)


@pytest.mark.parametrize(
    ("own", "named", "left"),
    [
        (["169.254.20.10"], ["169.254.20.10", "192.0.2.1"], ["192.0.2.1:53"]),
        (["fd00::10"], ["FD00:0::10", "192.0.2.1"], ["192.0.2.1:53"]),
        (["127.0.0.1"], ["0.0.0.0", "127.0.0.53"], ["127.0.0.53:53"]),
        (["0.0.0.0"], ["127.0.0.53", "0.0.0.0", "192.0.2.1", "2001:db8::1"], ["192.0.2.1:53", "[2001:db8::1]:53"]),
        (["0.0.0.0"], ["::1"], ["[::1]:53"]),
    ],
)
def test_the_resolver_is_never_its_own_server(
    tmp_path: Path, own: list[str], named: list[str], left: list[str]
) -> None:
    async def claim(place: Place) -> None:
        place.rewrite(names(*named))
        assert servers(place.zones.routes(config(place.path, *own))) == left
        elsewhere = servers(place.zones.routes(config(place.path, *own, port=5353)))
        assert len(elsewhere) == len(named), "on another port it is somebody else"

    in_place(tmp_path, claim)


def test_an_address_of_this_machine_is_the_resolver_where_it_listens_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolver.ops.zones._is_local", lambda address: str(address) == "192.0.2.9")

    async def claim(place: Place) -> None:
        place.rewrite(names("192.0.2.9", "192.0.2.1"))
        assert servers(place.zones.routes(config(place.path, "0.0.0.0"))) == ["192.0.2.1:53"]
        assert len(servers(place.zones.routes(config(place.path, "169.254.20.10")))) == 2

    in_place(tmp_path, claim)


def test_a_file_that_no_zone_names_any_more_is_not_watched(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        place.rewrite(names("192.0.2.1"))
        place.zones.routes(config(place.path))
        zone = Zone(names=(".",), upstreams=(Upstream("192.0.2.5"),))
        assert servers(place.zones.routes(Config(zones=(zone,)))) == ["192.0.2.5:53"]
        place.rewrite(names("192.0.2.2"))
        assert place.changed == []
        assert [str(server) for server in place.zones.servers] == ["192.0.2.5:53"]

    in_place(tmp_path, claim)


SERVICE = ServiceUpstream("kube-system", "kube-dns", "10.96.0.10")


def told(*addresses: str, address: str = "") -> dict[str, object]:
    endpoints = [[each, 8053, 0 if each.endswith(".9") else 5353] for each in addresses]
    return {"service": "kube-system/kube-dns", "address": address, "ready": len(addresses), "endpoints": endpoints}


def of_service(service: ServiceUpstream = SERVICE, transport: Transport = Transport.TCP, *others: Upstream) -> Config:
    return Config(zones=(Zone(("cluster.local",), (service, *others), transport),))


def test_a_service_is_asked_at_its_address_until_its_endpoints_are_known(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        config = of_service(SERVICE, Transport.TCP, Upstream("192.0.2.9"))
        routes = place.zones.routes(config)
        assert servers(routes) == ["10.96.0.10:53", "192.0.2.9:53"]
        place.zones.learn(told("10.244.0.1", "10.244.0.2"))
        known = ["10.244.0.1:8053", "10.244.0.2:8053", "10.96.0.10:53", "192.0.2.9:53"]
        assert servers(place.changed[-1]) == known
        assert place.changed[-1].all[0].alike == 2
        place.zones.learn(told("10.244.0.1", "10.244.0.2"))
        assert len(place.changed) == 1, "nothing new"
        assert servers(place.zones.routes(config)) == known, "a reload forgets nothing"
        place.zones.learn(told())
        assert servers(place.changed[-1]) == ["10.96.0.10:53", "192.0.2.9:53"]
        assert place.changed[-1].all[0].alike == 0

    in_place(tmp_path, claim)


def test_the_address_of_a_service_may_be_learnt(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        assert servers(place.zones.routes(of_service(SERVICE._replace(address="")))) == []
        place.zones.learn(told("10.244.0.1", address="10.96.0.99"))
        assert servers(place.changed[-1]) == ["10.244.0.1:8053", "10.96.0.99:53"]

    in_place(tmp_path, claim)


def test_endpoints_are_asked_at_the_port_of_the_transport(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        place.zones.routes(of_service(SERVICE, Transport.UDP))
        place.zones.learn(told("10.244.0.1", "10.244.0.9"))
        assert servers(place.changed[-1]) == ["10.244.0.1:5353", "10.96.0.10:53"]

    in_place(tmp_path, claim)


def test_an_endpoint_that_is_gone_keeps_nothing_open(tmp_path: Path) -> None:
    async def claim(place: Place) -> None:
        place.zones.routes(of_service())
        place.zones.learn(told("10.244.0.1", "10.244.0.2"))
        place.zones.learn(told("10.244.0.2"))
        assert sorted(str(server) for server in place.zones.servers) == ["10.244.0.2:8053", "10.96.0.10:53"]

    in_place(tmp_path, claim)
