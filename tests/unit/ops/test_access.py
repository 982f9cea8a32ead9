"""Monitoring is for everybody; names and changes are for loopback or for who has the token."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from resolver.ops.access import LEAST_CHARACTERS, Access
from resolver.ops.requests import HttpProblem, Request

TOKEN = "0123456789abcdef"
LOCAL = {"host": "127.0.0.1:9253"}
PROTECTED = [
    Request("DELETE", "/cache", {"all": "true"}, "127.0.0.1"),
    Request("GET", "/cache", {"name": "web.shop"}, "127.0.0.1"),
    Request("GET", "/status", {"changes": "true"}, "127.0.0.1"),
    Request("POST", "/whatever-comes", {}, "127.0.0.1"),
]
FORGET, LOOK, *_ = PROTECTED


def status(access: Access, request: Request, **fields: str) -> int:
    """0: it may be asked."""
    try:
        access.check(request, fields)
    except HttpProblem as problem:
        return problem.response.status
    return 0


def with_token(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def following(claim: Callable[[Access], None], path: Path) -> None:
    async def run() -> None:
        access = Access()
        access.follow(str(path))
        try:
            claim(access)
        finally:
            access.close()

    asyncio.run(run())


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.mark.parametrize("path", ["/", "/metrics", "/health", "/ready", "/cache", "/status"])
@pytest.mark.parametrize("peer", ["10.0.0.7", "", "127.0.0.1"])
def test_monitoring_is_for_everybody_with_and_without_a_token(path: str, peer: str, token: Path) -> None:
    request = Request("GET", path, {}, peer)
    assert status(Access(), request, origin="http://x", host="x") == 0
    following(lambda access: access.check(request, {"host": "node-1"}), token)


@pytest.mark.parametrize("request_", PROTECTED, ids=lambda it: f"{it.method} {it.path}")
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1:9253", "127.0.0.1", "[::1]:9253", "::1", "localhost:9253", "LOCALHOST"])
def test_without_a_token_loopback_may_everything(request_: Request, peer: str, host: str) -> None:
    if host != "::1":  # not the form of a Host
        assert status(Access(), request_._replace(peer=peer), host=host) == 0


@pytest.mark.parametrize("request_", PROTECTED, ids=lambda it: f"{it.method} {it.path}")
@pytest.mark.parametrize("peer", ["10.0.0.7", "169.254.20.10", "fd00::7", "::ffff:10.0.0.7", ""])
def test_without_a_token_nobody_else_may(request_: Request, peer: str) -> None:
    with pytest.raises(HttpProblem, match=r"or with a token \(admin.tokenFile\)") as problem:
        Access().check(request_._replace(peer=peer), LOCAL | with_token(TOKEN))
    assert problem.value.response.status == 403


@pytest.mark.parametrize("host", ["evil.example:9253", "evil.example", "127.0.0.1.evil.example", "", "[evil]:1", "1"])
def test_a_name_that_was_made_an_address_of_the_machine_opens_nothing(host: str) -> None:
    assert status(Access(), LOOK, host=host) == 403


def test_a_page_in_a_browser_on_the_machine_may_change_nothing() -> None:
    assert status(Access(), FORGET, **LOCAL, origin="http://127.0.0.1:9253") == 403
    assert status(Access(), FORGET, **LOCAL, origin="null") == 403


@pytest.mark.parametrize("request_", PROTECTED, ids=lambda it: f"{it.method} {it.path}")
@pytest.mark.parametrize("peer", ["10.0.0.7", "127.0.0.1"])
def test_with_a_token_who_shows_it_may_from_anywhere(request_: Request, peer: str, token: Path) -> None:
    following(lambda access: access.check(request_._replace(peer=peer), with_token(TOKEN)), token)
    following(lambda access: access.check(request_._replace(peer=peer), {"authorization": f"bearer  {TOKEN}"}), token)


@pytest.mark.parametrize(
    "fields",
    [
        LOCAL,
        with_token(""),
        with_token(TOKEN[:-1]),
        with_token(TOKEN + "x"),
        with_token(f"{TOKEN}, Bearer {TOKEN}"),  # the field twice
        with_token("\xff" * 16),
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
    ],
    ids=range(8),
)
def test_with_a_token_nothing_else_will_do_not_even_loopback(fields: dict[str, str], token: Path) -> None:
    def claim(access: Access) -> None:
        with pytest.raises(HttpProblem, match="Authorization: Bearer TOKEN") as problem:
            access.check(FORGET, LOCAL | fields)
        assert problem.value.response.status == 401
        assert problem.value.response.headers == (("WWW-Authenticate", 'Bearer realm="nodelocaldns"'),)

    following(claim, token)


@pytest.mark.parametrize("text", ["", "short", "x" * (LEAST_CHARACTERS - 1), "two words, sixteen", "ä" * 16, None])
def test_a_file_without_a_good_token_lets_nobody_in_and_the_log_says_why(
    text: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)

    def claim(access: Access) -> None:
        for shown in (text or "", TOKEN, ""):
            assert status(access, FORGET, **LOCAL, **with_token(shown)) == 403

    following(claim, path)
    assert [record.getMessage() for record in caplog.records] == ["the token of the admin endpoints cannot be used"]


def test_a_changed_token_holds_and_the_old_one_no_longer(token: Path) -> None:
    def claim(access: Access) -> None:
        assert access._watch is not None
        assert status(access, FORGET, **with_token(TOKEN)) == 0
        token.write_text("another-token-that-is-one-word")
        access._watch.read_now()
        assert status(access, FORGET, **with_token(TOKEN)) == 401
        assert status(access, FORGET, **with_token("another-token-that-is-one-word")) == 0
        token.unlink()
        access._watch.read_now()
        assert status(access, FORGET, **with_token("another-token-that-is-one-word")) == 403

    following(claim, token)


def test_a_reload_may_name_a_token_file_another_one_or_none(token: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("f" * 32)

    async def run() -> None:
        access = Access()
        for path, shown, found in ((token, TOKEN, 0), (other, TOKEN, 401), (other, "f" * 32, 0)):
            access.follow(str(path))
            assert status(access, FORGET, **LOCAL, **with_token(shown)) == found
        access.follow("")
        assert status(access, FORGET, **LOCAL) == 0
        assert status(access, FORGET._replace(peer="10.0.0.7"), **LOCAL, **with_token("f" * 32)) == 403

    asyncio.run(run())


def test_what_changes_something_is_in_the_log_with_who_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Access().check(FORGET, LOCAL)
    Access().check(LOOK, LOCAL)
    (record,) = caplog.records
    assert record.__dict__["fields"] == {
        "method": "DELETE", "path": "/cache", "query": "{'all': 'true'}", "client": "127.0.0.1",
    }  # fmt: skip
