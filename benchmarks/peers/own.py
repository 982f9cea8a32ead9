"""The resolver of this repository, with its default configuration, and the floor."""

import json

from benchmarks.bytecode import prepared
from benchmarks.compiled import folder
from benchmarks.interpreter import chosen
from benchmarks.native import program
from benchmarks.peers.peer import Peer, Site
from resolver import __version__

USUAL_NAMES = 100_000
"""Up to here the cache keeps its default size."""


_LAUNCHER = """\
import sys

sys.path += {places!r}
from resolver.__main__ import main

sys.exit(main())
"""
"""What stands in the image (packaging/image, `launchers`)."""


def _ours(site: Site) -> list[str]:
    """As its image runs it: the modules that handle packets compiled, bytecode without docstrings for the others,
    without the module site, which looks for .pth files and virtual environments, and without a locale: it has none.
    """
    options, packages = prepared(chosen().path, folder())
    launcher = site.write("nodelocaldns-resolver", _LAUNCHER.format(places=[str(folder()), str(packages)]))
    return ["env", "LC_ALL=C", str(chosen().path), "-I", "-S", *options, launcher, "--config", _config(site)]


def _plain(site: Site) -> list[str]:
    """As who has the sources runs it."""
    return [str(chosen().path), "-m", "resolver", "--config", _config(site)]


def _config(site: Site) -> str:
    """As documented: the cluster's zones and the default route; everything else is left at its default."""
    groups = [["cluster.local", "in-addr.arpa", "ip6.arpa"], ["."]]
    groups += [[f"zone-{number}.example"] for number in range(1, site.zones)]
    ttl = "" if site.longest_ttl == 30 else f", maxTTL: {site.longest_ttl}"
    zones = "".join(
        f"  - {{names: {json.dumps(group)}, upstreams: ['127.0.0.1:{site.upstream_port}']{ttl}}}\n" for group in groups
    )
    cache = "" if site.names <= USUAL_NAMES else "cache: {size: 2Gi}\n"
    text = f"""\
listen: {{addresses: [127.0.0.1], port: {site.port}}}
zones:
{zones}admin: {{address: 127.0.0.1, port: {site.admin_port}}}
{cache}"""
    return site.write("resolver.yaml", text)


def _floor(site: Site) -> list[str]:
    return [str(program("echo")), str(site.port)]


OURS = Peer("ours", "nodelocaldns", _ours, version=lambda: __version__)
PLAIN = Peer("plain", "nodelocaldns, not compiled", _plain, version=lambda: __version__)
FLOOR = Peer("floor", "echo floor", _floor, answers=False, note="sends packets back unread: recvmmsg, sendmmsg, C")
