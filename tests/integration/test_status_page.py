"""The status page in a browser, in front of a real resolver: what it shows is so, and it can be used by anybody."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.browser import NARROW, WIDE, Browser, Page, browser
from tests.lab.loopback import Running, Upstream, ask_once, configuration, running, upstream
from tests.network import free_port

FIGURES = "document.querySelector('#state').dataset.state !== 'wait'"
LONG = "a" * 60 + ".some.namespace.svc.cluster.local"
TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering


@pytest.fixture(scope="module")
def resolver(server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three names asked four times each, one as long as search lists make it, and one whose zone has no server."""
    config = configuration(server, workers=2)
    config["admin"]["top"] = True
    config["zones"].append({"names": ["gone.example"], "upstreams": [f"127.0.0.1:{free_port()}"], "transport": "tcp"})
    with running(tmp_path_factory.mktemp("resolver"), config) as started:
        for name in ("n1.example", "n2.example", LONG):
            for _ in range(4):
                ask_once(config["listen"]["port"], name)
        ask_once(config["listen"]["port"], "x.gone.example")
        yield started


def url(resolver: Running) -> str:
    return f"http://127.0.0.1:{resolver.config['admin']['port']}/"


def legend(page: Page) -> dict[str, int]:
    """Replies by where they came from."""
    rows = page.get("[...document.querySelectorAll('#legend li')].map(li => [...li.children].map(x => x.innerText))")
    return {row[1]: int(row[2].replace(",", "")) for row in rows}


def test_the_page_shows_what_the_resolver_did_and_goes_on_with_it(chromium: Browser, resolver: Running) -> None:
    chromium.complaints.clear()
    with chromium.page(url(resolver)) as page:
        page.until(FIGURES)
        shown = legend(page)
        remembered = int(resolver.metric("coredns_cache_hits_total"))
        assert remembered >= 6  # each worker has a cache of its own
        assert shown == {
            "memory": remembered, "an upstream": 12 - remembered, "memory, stale": 0, "nowhere: a failure": 1,
            "nowhere: turned away": 0,
        }  # fmt: skip
        assert page.text("#hit-ratio") == f"{100 * remembered / 13:.1f} %"
        assert "2 workers" in page.text("#about")
        servers = page.get("[...document.querySelectorAll('#upstreams tr')].map(row => row.innerText)")
        assert sum("gone.example" in row and "\tdown\t" in row for row in servers) == 1
        assert sum("all other names" in row and "\tup\t" in row for row in servers) == 1
        assert page.text("#state") == "not ready"
        assert "zone gone.example. has no upstream that answers" in page.text("#reasons")
        assert "upstream down" in page.text("#changes")
        page.until("document.querySelector('#changes').innerText.includes('started')")  # the supervisor's
        ask_once(resolver.config["listen"]["port"], "n1.example")
        page.until("document.querySelectorAll('#rate-chart path').length")
        # From memory or from the server: the worker that was asked may not know the name, or not any more.
        page.until("[...document.querySelectorAll('#legend li')].some(li => li.children[2].innerText === '1')")
        asked = page.get("performance.getEntriesByType('resource').map(each => new URL(each.name).origin)")
        assert {origin + "/" for origin in asked} == {url(resolver)}
    assert chromium.complaints == []


def test_a_name_is_looked_up_with_the_keyboard_alone(chromium: Browser, resolver: Running) -> None:
    with chromium.page(url(resolver)) as page:
        page.until(FIGURES)
        for _ in range(20):
            page.press("Tab", 9)
            if page.get("document.activeElement.id") == "name":
                break
        assert page.get("document.activeElement.id") == "name"
        page.type("N1.example.")
        page.press("Enter", 13)
        page.until("document.querySelector('#found').innerText")
        assert "n1.example." in page.text("#found pre")
        assert "10.1.2.3" in page.text("#found pre")
        assert "NOERROR, fresh" in page.text("#found")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody.example", "Nothing is remembered of nobody.example"),
        ("<img src=x onerror=alert(1)>", "Nothing is remembered of <img src=x onerror=alert(1)>"),
        ("a..b", "not a domain name: 'a..b': a label has 1 to 63 octets"),
    ],
)
def test_what_is_not_there_is_said_and_markup_stays_text(
    name: str, said: str, chromium: Browser, resolver: Running
) -> None:
    with chromium.page(url(resolver)) as page:
        page.get("document.querySelector('#name').focus()")
        page.type(name)
        page.press("Enter", 13)
        page.until("document.querySelector('#found').innerText")
        assert page.text("#found") == said
        assert page.get("document.querySelectorAll('#found img').length") == 0


def test_names_and_changes_wait_for_the_token(chromium: Browser, server: Upstream, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    config = configuration(server, admin={"port": free_port(), "tokenFile": str(tmp_path / "token"), "top": True})
    with running(tmp_path, config) as resolver, chromium.page(url(resolver)) as page:
        ask_once(config["listen"]["port"], "n1.example")
        page.until(FIGURES)
        assert page.text("#state") == "ready"
        assert page.get("document.querySelector('#top').hidden")
        assert "needs the token" in page.text("#no-changes")
        assert page.text("#changes") == ""
        page.get("document.querySelector('#token').focus()")
        page.type(TOKEN)
        page.press("Enter", 13)
        page.until("document.querySelector('#changes').innerText.includes('listening')")
        page.until("document.querySelector('#tops').innerText.includes('n1.example.')")
        tops = page.get("[...document.querySelectorAll('#tops th[scope=row]')].map(cell => cell.innerText)")
        assert tops == ["127.0.0.1", "n1.example."]
        assert page.get("document.querySelector('#access').hidden")


CONTRAST = """
(() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const back = (it) => {
    const own = colour(getComputedStyle(it).backgroundColor);
    return own[3] === 0 && it.parentElement ? back(it.parentElement) : own;
  };
  const poor = [];
  for (const it of document.querySelectorAll('body *')) {
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !it.checkVisibility() || it.classList.contains('skip')) continue;
    const [a, b] = [light(colour(getComputedStyle(it).color)), light(back(it))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push([it.tagName, it.className, it.innerText.slice(0, 20), ratio]);
  }
  return poor;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_text_can_be_read_in_light_and_dark_and_fits_wide_and_narrow_screens(
    size: tuple[int, int], dark: bool, chromium: Browser, resolver: Running
) -> None:
    with chromium.page(url(resolver), size, dark=dark) as page:
        page.until(FIGURES)
        page.until("document.querySelector('#changes').children.length")
        page.until("document.querySelectorAll('#tops table').length")
        assert page.get("document.documentElement.scrollWidth") == size[0]
        column = "parseFloat(getComputedStyle(document.querySelector('#tops')).gridTemplateColumns)"
        assert page.get(f"[...document.querySelectorAll('#tops table')].map(it => it.offsetWidth > {column} + 1)") == [
            False
        ] * page.get("document.querySelectorAll('#tops table').length")
        cut = "[...document.querySelectorAll('.scroll')].filter(it => it.scrollWidth > it.clientWidth).length"
        assert page.get(cut) == 0
        assert page.get("matchMedia('(prefers-color-scheme: dark)').matches") is dark
        assert page.get(CONTRAST) == []


def test_landmarks_headings_and_controls_have_names(chromium: Browser, resolver: Running) -> None:
    with chromium.page(url(resolver)) as page:
        page.until(FIGURES)
        page.until("document.querySelector('#changes').children.length")
        page.until("document.querySelectorAll('#tops table').length")
        page.call("Accessibility.enable")
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            named.setdefault(_value(node, "role"), []).append(_value(node, "name"))
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        assert len(named[landmark]) == 1, landmark
    for role in ("textbox", "combobox", "button", "link", "region", "heading", "navigation"):
        assert all(named[role]), role
    assert set(named["region"]) == {
        "Now", "Where replies come from", "Latency", "Upstreams", "What is remembered of a name", "Recent changes",
        "The resolver", "Who asks what",
    }  # fmt: skip
    assert len(named["rowheader"]) >= 5


def _value(node: dict[str, Any], field: str) -> str:
    return str(node.get(field, {}).get("value", ""))


def test_the_figures_are_public_and_the_changes_are_not(resolver: Running) -> None:
    status, text = resolver.admin("/status", fields={"Host": "anybody.example"})
    assert (status, "changes" in json.loads(text)) == (200, False)
    assert resolver.admin("/status?changes=true", fields={"Host": "anybody.example"})[0] == 403
    assert "changes" in json.loads(resolver.admin("/status?changes=true")[1])
    assert resolver.admin("/status?something=else")[0] == 400
