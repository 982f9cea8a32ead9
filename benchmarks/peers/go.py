"""CoreDNS, twice: the release inside NodeLocal DNSCache with the Corefile that Kubernetes ships, and the latest."""

from pathlib import Path

from benchmarks.peers.peer import Peer, Site
from tests import servers
from tests.servers.build import build

NODELOCAL_MODULE = Path(servers.__file__).parent / "nodelocaldnscache"


def _nodelocal(site: Site) -> list[str]:
    """nodelocaldns.yaml of Kubernetes' cluster/addons/dns, with loopback's addresses and free ports filled in."""
    upstream = f"127.0.0.1:{site.upstream_port}"
    common = f"reload\n    loop\n    bind 127.0.0.1\n    prometheus 127.0.0.1:{site.admin_port}"
    reverse = "".join(
        f"{zone}:{site.port} {{\n    errors\n    cache 30\n    {common}\n"
        f"    forward . {upstream} {{\n        force_tcp\n    }}\n}}\n"
        for zone in ("in-addr.arpa", "ip6.arpa")
    )
    text = f"""\
cluster.local:{site.port} {{
    errors
    cache {{
        success 9984 30
        denial 9984 5
    }}
    {common}
    forward . {upstream} {{
        force_tcp
    }}
    health 127.0.0.2:{site.admin_port}
}}
{reverse}.:{site.port} {{
    errors
    cache 30
    {common}
    forward . {upstream}
}}
"""
    return _command(site, build(NODELOCAL_MODULE), text)


def _coredns(site: Site) -> list[str]:
    """The Corefile that kubeadm installs, with a forwarder in the place of the Kubernetes API."""
    text = f"""\
.:{site.port} {{
    bind 127.0.0.1
    errors
    health 127.0.0.2:{site.admin_port}
    ready 127.0.0.3:{site.admin_port}
    prometheus 127.0.0.1:{site.admin_port}
    forward . 127.0.0.1:{site.upstream_port} {{
        force_tcp
        max_concurrent 1000
    }}
    cache 30
    loop
    reload
    loadbalance
}}
"""
    return _command(site, servers.coredns(), text)


def _command(site: Site, binary: Path, corefile: str) -> list[str]:
    return ["env", "GOMAXPROCS=1", str(binary), "-conf", site.write("Corefile", corefile)]


def _pinned(module: str) -> str:
    """The CoreDNS release that a module in tests/servers asks for."""
    text = (NODELOCAL_MODULE.parent / module / "go.mod").read_text()
    return text.partition("github.com/coredns/coredns v")[2].split()[0]


NODELOCAL = Peer(
    "nodelocal",
    "NodeLocal DNSCache's data path",
    _nodelocal,
    program="go",
    version=lambda: f"CoreDNS {_pinned('nodelocaldnscache')}",
    note="the CoreDNS, plugins and Corefile of NodeLocal DNSCache, without the command that writes that file",
)
COREDNS = Peer("coredns", "CoreDNS", _coredns, program="go", version=lambda: _pinned("coredns"))
