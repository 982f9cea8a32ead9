"""Pictures for the documentation: `make pictures`. Look at them (build/pictures has PNG) before they go in.

The status page of a busy resolver one of whose servers is down, in light and dark, wide and narrow; `top` and the demo
as a terminal shows them. With `--site`, the site's front page after `make docs`, which goes nowhere but there.
"""

import sys
import tempfile
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.lab.browser import NARROW, WIDE, Browser, Page, Size, browser
from tests.lab.knowing import knowing
from tests.lab.loopback import REPOSITORY, configuration, running
from tests.lab.shop import INSIDE, OUTSIDE, busy, owners
from tests.lab.terminal import picture, shown
from tests.network import free_port

ASSETS = REPOSITORY / "docs" / "assets"
LOOKED_AT = REPOSITORY / "build" / "pictures"
SITE = REPOSITORY / "build" / "site" / "html"
_LOOKS = [
    (width, size, colours) for colours in ("light", "dark") for width, size in (("wide", WIDE), ("narrow", NARROW))
]
_MOMENT_SECONDS = 25
"""After which rates are those of now: `top` looks back over 10 to 20 seconds, the page over a minute."""


def main(arguments: list[str]) -> None:
    """Write them all, or with `--site` only those."""
    LOOKED_AT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, browser(Path(name)) as chromium:
        if arguments == ["--site"]:
            _of_the_site(chromium)
            return
        _draw(chromium, "demo", "make run", shown(["--demo"], 100, until="Ctrl-C ends"), 100)
        _of_a_busy_resolver(Path(name), chromium)


def _of_the_site(chromium: Browser) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=SITE)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for width, size, colours in _LOOKS:
            with chromium.page(f"http://127.0.0.1:{server.server_port}/", size, dark=colours == "dark") as page:
                _keep(page, f"site-{width}-{colours}")
        server.shutdown()


def _of_a_busy_resolver(folder: Path, chromium: Browser) -> None:
    with knowing(INSIDE, ttl=30) as cluster, knowing(OUTSIDE, ttl=5) as outside:
        config = configuration(outside)
        (zone,) = config["zones"]
        zone |= {"upstreams": [*zone["upstreams"], f"127.0.0.1:{free_port()}"], "policy": "roundRobin"}
        names = ["cluster.local", "in-addr.arpa"]
        config["zones"].append({"names": names, "upstreams": [f"127.0.0.1:{cluster.port}"], "transport": "udp"})
        config["admin"] |= {"top": True, "ownersFile": str(owners(folder))}
        with running(folder, config), busy(config["listen"]["port"]):
            time.sleep(_MOMENT_SECONDS)
            admin = f"http://127.0.0.1:{config['admin']['port']}"
            page = shown(["top", "--once", "--rows", "6", "--admin", admin], 80)
            _draw(chromium, "top", "nodelocaldns-resolver top", page, 80)
            for width, size, colours in _LOOKS:
                _status_page(chromium, admin, f"status-{width}-{colours}", size, dark=colours == "dark")


def _status_page(chromium: Browser, admin: str, name: str, size: Size, *, dark: bool) -> None:
    with chromium.page(f"{admin}/", size, dark=dark) as page:
        page.get("document.querySelector('#name').focus()")
        page.type("db.data.svc.cluster.local")
        page.press("Enter", 13)
        page.until("document.querySelectorAll('#found *').length")
        page.until("document.querySelectorAll('#tops table').length >= 3")
        page.until("parseInt(document.querySelector('#window').innerText.slice(5)) >= 8")
        (ASSETS / f"{name}.webp").write_bytes(page.picture("webp"))
        _keep(page, name)


def _draw(chromium: Browser, name: str, title: str, text: str, columns: int) -> None:
    path = ASSETS / f"{name}.svg"
    path.write_text(picture(title, text, columns) + "\n", encoding="utf-8")
    with chromium.page(path.as_uri()) as page:
        _keep(page, name)


def _keep(page: Page, name: str) -> None:
    path = LOOKED_AT / f"{name}.png"
    path.write_bytes(page.picture())
    print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
