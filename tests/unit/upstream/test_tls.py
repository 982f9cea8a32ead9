"""DNS over TLS against a server on loopback whose certificates come from an authority made for this test."""

import ssl
import subprocess
import sys
from collections.abc import Iterator

import pytest

from resolver.config.values import Upstream
from resolver.upstream.tcp import TcpChannel
from resolver.upstream.tls import server_name, tls_context
from resolver.upstream.transport import Problem
from tests.lab.authority import Authority, make_authority
from tests.unit.upstream.steered import Asked, Run, SteeredLoop, answer_of, both_loops, tcp_server, until


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), "DNS:dns.example", "IP:127.0.0.1")


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The authority is the one that the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


def server_side(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_certificate, authority.server_key)
    context.set_alpn_protocols(["dot"])
    return context


async def ask(
    authority: Authority, *, context: ssl.SSLContext | None = None, tls_name: str | None = None
) -> bytes | Problem:
    """What comes of one question, to a server that answers everything; the ALPN result is checked on the way."""
    loop = SteeredLoop()
    async with tcp_server(context or server_side(authority)) as server:
        channel = TcpChannel(server.upstream._replace(tls_name=tls_name), loop.as_loop(), tls_context())
        asked = Asked(channel)
        await until(lambda: bool(asked.heard) or bool(server.connections))
        if not asked.heard:
            side = await server.connection()
            query = await side.query()
            side.answer(query)
            assert await asked.outcome() == answer_of(query)
            assert side.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "dot"
        channel.close()
        await until(lambda: channel.snapshot().connections == 0)
        return asked.heard[0]


@both_loops
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("tls_name", ["dns.example", None])
def test_server_with_the_right_name_or_address_is_believed(
    run: Run, authority: Authority, tls_name: str | None
) -> None:
    async def main() -> None:
        assert isinstance(await ask(authority, tls_name=tls_name), bytes)

    run(main())


@both_loops
@pytest.mark.usefixtures("trusted")
def test_server_with_another_name_is_refused(run: Run, authority: Authority) -> None:
    async def main() -> None:
        assert await ask(authority, tls_name="dns.example.net") is Problem.TLS

    run(main())


@both_loops
def test_server_of_an_unknown_authority_is_refused(run: Run, authority: Authority) -> None:
    async def main() -> None:
        tls_context.cache_clear()
        assert await ask(authority, tls_name="dns.example") is Problem.TLS

    run(main())


@both_loops
@pytest.mark.usefixtures("trusted")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocol_versions_are_refused(run: Run, authority: Authority) -> None:
    async def main() -> None:
        old = server_side(authority)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        assert await ask(authority, context=old, tls_name="dns.example") is Problem.TLS

    run(main())


@both_loops
@pytest.mark.usefixtures("trusted")
def test_server_that_speaks_no_tls_is_refused(run: Run) -> None:
    async def main() -> None:
        loop = SteeredLoop()
        async with tcp_server() as server:
            channel = TcpChannel(server.upstream, loop.as_loop(), tls_context())
            asked = Asked(channel)
            side = await server.connection()
            side.send(b"\0\x0cnot a handshake")
            assert await asked.outcome() is Problem.TLS
            assert await Asked(channel).outcome() is Problem.BACKING_OFF

    run(main())


@both_loops
@pytest.mark.usefixtures("trusted")
def test_handshake_without_reply_is_given_up(run: Run) -> None:
    async def main() -> None:
        loop = SteeredLoop()
        async with tcp_server() as server:
            channel = TcpChannel(server.upstream, loop.as_loop(), tls_context())
            asked = Asked(channel)
            side = await server.connection()
            loop.pass_time(5)
            assert await asked.outcome() is Problem.SILENT
            assert await side.closed(), "it must have sent its hello before"

    run(main())


def test_certificate_is_checked_for_the_address_where_no_name_is_configured() -> None:
    assert server_name(Upstream("fe80::1%eth0")) == "fe80::1"
    assert server_name(Upstream("192.0.2.1", tls_name="dns.example")) == "dns.example"


def test_transport_modules_do_not_import_ssl_by_themselves() -> None:
    code = "import asyncio, sys; sys.modules.pop('ssl', None)\n"  # asyncio itself may have brought it
    code += "import resolver.upstream.tls, resolver.upstream.tcp, resolver.upstream.udp; sys.exit('ssl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
