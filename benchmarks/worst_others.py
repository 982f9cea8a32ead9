"""What the dearest inputs cost at doors where no single packets come in (benchmarks/worst.py).

A stream is compared by what arrives at once; a request to the admin endpoints by the request, of which 8 KiB of head
and 16 KiB of body are all that is read; texts by the KiB.
"""

import functools
from collections.abc import Iterator

from benchmarks import hostile, hostile_texts
from benchmarks.costs import Cost, by_kibibyte, spent
from resolver.cache import snapshot
from resolver.cache.store import Store
from resolver.config import ConfigError, load
from resolver.config.resolvconf import parse_resolv_conf, parse_searches
from resolver.listen.tcp import READ_BYTES
from resolver.message.answer import read_answer
from resolver.message.query import BadPacket
from resolver.migration import MigrationError, convert
from resolver.ops.cachepage import CachePage
from resolver.ops.http import AdminServer
from tests.cases.injection import DNS
from tests.cases.recorded import ANSWERS, asked_of
from tests.fuzz.doors import admin, client_tcp
from tests.unit.builders import framed
from tests.unit.upstream.unwired import Scene
from tests.unit.world import zone
from webhook.decision import decide
from webhook.review import BadReview, read_review, write_review

NOW = 1000.0


def others() -> Iterator[Cost]:
    """All of them."""
    yield from client_streams()
    yield from server_streams()
    yield from successions()
    yield from requests()
    yield from reviews()
    yield from texts()


def client_streams() -> Iterator[Cost]:
    """What arrives on a client's connection at once; its queries are known."""
    query = b"ID\1\0\0\1\0\0\0\0\0\0\3one\0\0\1\0\1"
    server = client_tcp.Server()
    client_tcp.keep_time(server.world)
    server.say(framed(query))

    def hear(data: bytes) -> None:
        server.wire.written.clear()
        connection = server.connection
        server.listener.read_buffer[: len(data)] = data
        connection.buffer_updated(len(data))
        while connection._out or connection._backlog:  # noqa: SLF001 - whether it has more to do
            server.world.go(0)
        if server.wire.closed:
            connection.connection_lost(None)
            server.connect()

    usual = framed(query)
    streams = {
        "4 KiB of queries": usual * (READ_BYTES // len(usual)),
        "4 KiB of frames that are too short": b"\0\1a" * (READ_BYTES // 3),
    }
    yield from by_kibibyte("client, stream", ("normal: a query that is known", usual), streams, hear)
    normal, octet = spent(lambda: hear(usual)), spent(lambda: hear(b"\x0f"))
    yield Cost("client, stream", "one octet of a query of 4 KiB", 1, octet, octet / normal, False)


def server_streams() -> Iterator[Cost]:
    """What arrives on a connection to a server; what answers nothing is read until it is cut off at 1 MiB."""
    name = "CoreDNS address"
    question, answer = asked_of(ANSWERS[name]), ANSWERS[name]
    scene = Scene()

    def ask_and_hear() -> None:
        ticket, _ = scene.ask(question)
        scene.loop.turn()
        scene.transport.writes.clear()
        scene.connection.data_received(framed(ticket.id + answer[2:]))

    usual = spent(ask_and_hear)
    size = len(answer) + 2
    yield Cost("server, stream", "normal: an answer that was asked for", size, usual, 1.0, True)
    for what, data in {
        "frames without anything": b"\0\0" * 32_000,
        "answers that nobody asked for": framed(answer) * 400,
        "the same with the longest names": framed(b"ID\x81\x80\0\1\0\0\0\0\0\0" + hostile.LONGEST + b"\0\1\0\1") * 250,
        "an answer in single octets": framed(answer),
    }.items():
        single = what.endswith("octets")

        def hear(data: bytes = data, single: bool = single) -> None:  # noqa: FBT001 - bound to the loop's value
            scene = Scene()
            pieces = [data[at : at + 1] for at in range(len(data))] if single else [data]
            for piece in pieces:
                scene.connection.data_received(piece)
                while scene.transport.paused and not scene.transport.aborted:
                    scene.loop.turn()

        microseconds = spent(hear)
        if single:  # each octet is a packet of its own, with 66 octets around it
            each = microseconds / len(data)
            yield Cost("server, stream", f"{what}, each", 1, each, each / usual, False)
        else:
            yield Cost("server, stream", what, len(data), microseconds, microseconds / len(data) / (usual / size), True)


def successions() -> Iterator[Cost]:
    """What a predecessor hands over."""

    def record(packet: bytes) -> bytes:
        question = asked_of(packet)
        try:
            answer = read_answer(packet, question)
        except BadPacket:
            return b""
        entry = Store(1 << 22).put(question + b"\0", answer, zone("."), ".", "10.96.0.10:53", NOW - 3)
        return b"" if entry is None else snapshot.write(entry)

    def read(data: bytes) -> None:
        for _ in snapshot.Reader().feed(snapshot.MARK + data, NOW):
            pass

    normal = b"".join(record(packet) for packet in ANSWERS.values() if asked_of(packet) and not packet[2] & 2)
    yield from by_kibibyte(
        "hand-over",
        ("normal: the answers that servers send", normal),
        {what: data for what, packet in hostile.answers().items() if (data := record(_to_text(packet)))},
        read,
    )


def _to_text(packet: bytes) -> bytes:
    return packet.replace(hostile.QUESTION, hostile.TEXT_QUESTION, 1)


def requests() -> Iterator[Cost]:
    """Requests to the admin endpoints."""
    page = CachePage(admin.world().engine, lambda: admin.world().now)
    server = AdminServer(page.routes)

    def ask(data: bytes) -> None:
        admin.runner().run(admin.said_back(server, data))

    normal = min(spent(functools.partial(ask, hostile_texts.REQUEST)) for _ in range(2))
    yield Cost("admin", "normal: a request of Prometheus", len(hostile_texts.REQUEST), normal, 1.0, False)
    for what, data in hostile_texts.REQUESTS.items():
        microseconds = spent(functools.partial(ask, data))
        yield Cost("admin", what, len(data), microseconds, microseconds / normal, False)


def reviews() -> Iterator[Cost]:
    """Reviews of the webhook."""

    def answer(data: bytes) -> None:
        try:
            ask = read_review(data)
        except BadReview:
            return
        write_review(ask.uid, decide(ask, DNS, frozenset()).verdict)

    yield from by_kibibyte(
        "webhook", ("normal: a pod of one container", hostile_texts.review()), hostile_texts.REVIEWS, answer
    )


def texts() -> Iterator[Cost]:
    """Files, each read in a process of its own or (resolv.conf) when it has changed."""

    def configure(data: bytes) -> None:
        try:
            load(data.decode(), "f")
        except ConfigError:
            return

    def migrate(data: bytes) -> None:
        try:
            convert(data.decode(), "f", {})
        except MigrationError:
            return

    def nameservers(data: bytes) -> None:
        parse_resolv_conf(data.decode())
        parse_searches(data.decode())

    for door, normal, hostile_ones, work in (
        ("resolver.yaml", hostile_texts.CONFIGURATION, hostile_texts.CONFIGURATIONS, configure),
        ("Corefile", hostile_texts.COREFILE, hostile_texts.COREFILES, migrate),
        ("resolv.conf", hostile_texts.RESOLV_CONF, hostile_texts.RESOLV_CONFS, nameservers),
    ):
        encoded = {what: text.encode() for what, text in hostile_ones.items()}
        yield from by_kibibyte(door, ("normal: a usual one", normal.encode()), encoded, work)
