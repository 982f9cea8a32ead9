"""Who may have a running resolver forget, and look into what it remembers: real processes, real connections."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.loopback import Running, Upstream, ask_once, configuration, running, upstream
from tests.lab.waiting import wait_until

TOKEN = "a-token-that-nobody-guesses"
ANOTHER = "and-the-one-that-comes-after-it"


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


def shown(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def forget(resolver: Running, **options: str) -> int:
    return resolver.admin("/cache?all=true", "DELETE", fields=options)[0]


def test_without_a_token_loopback_may_and_a_page_or_a_name_may_not(server: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, configuration(server)) as resolver:
        assert forget(resolver) == 200
        assert forget(resolver, Origin="http://evil.example") == 403
        assert forget(resolver, Host="evil.example:9253") == 403
        assert resolver.admin("/cache?name=n1.example", fields={"Host": "evil.example"})[0] == 403
        assert resolver.admin("/cache", fields={"Host": "evil.example"})[0] == 200
        assert resolver.stop() == 0


def test_with_a_token_only_who_shows_it_may_and_each_worker_forgets(server: Upstream, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o644)
    config = configuration(server, workers=2)
    config["admin"]["tokenFile"] = str(token)
    with running(tmp_path, config) as resolver:
        for number in range(40):
            ask_once(config["listen"]["port"], f"n{number}.example")
        assert json.loads(resolver.admin("/cache")[1])["entries"] == 40
        status, text = resolver.admin("/cache?all=true", "DELETE")
        assert (status, text) == (401, "this needs the token of admin.tokenFile, as Authorization: Bearer TOKEN\n")
        assert forget(resolver, **shown("the-wrong-one-entirely")) == 401
        assert resolver.admin("/cache?name=n1.example")[0] == 401
        assert {resolver.admin(path)[0] for path in ("/metrics", "/health", "/ready", "/cache")} == {200}
        assert resolver.admin("/cache?name=n1.example", fields=shown(TOKEN))[0] == 200
        forgotten = json.loads(resolver.admin("/cache?all=true", "DELETE", fields=shown(TOKEN))[1])
        assert (forgotten["forgotten"], forgotten["workers"]) == (40, 2)
        assert TOKEN not in resolver.log.read_text()
        assert resolver.stop() == 0


def test_a_token_file_is_followed_and_so_is_the_key_that_names_it(server: Upstream, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    config = configuration(server)
    with running(tmp_path, config) as resolver:
        before = resolver.workers()
        assert forget(resolver) == 200
        with_token = {**config, "admin": {**config["admin"], "tokenFile": str(token)}}
        resolver.configure(with_token)
        wait_until(lambda: forget(resolver) == 401, "the token to be asked for")
        token.write_text(ANOTHER)
        wait_until(lambda: forget(resolver, **shown(ANOTHER)) == 200, "the new token to hold")
        assert forget(resolver, **shown(TOKEN)) == 401
        token.unlink()
        wait_until(lambda: forget(resolver, **shown(ANOTHER)) == 403, "a missing token to be noticed")
        assert [line["reason"] for line in resolver.events("the token of the admin endpoints cannot be used")]
        resolver.configure(config)
        wait_until(lambda: forget(resolver) == 200, "loopback to be enough again")
        assert resolver.workers() == before
        assert resolver.stop() == 0
