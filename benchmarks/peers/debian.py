"""The DNS servers that Debian packages, as forwarders with a cache."""

from benchmarks.peers.peer import Peer, Site, first_version


def _unbound(site: Site) -> list[str]:
    """What its documentation on performance recommends for one thread; validation is off, a cluster has none."""
    cache_mebibytes = 50 if site.names <= 100_000 else 1000
    text = f"""\
server:
    interface: 127.0.0.1
    port: {site.port}
    do-daemonize: no
    chroot: ""
    username: ""
    directory: "{site.folder}"
    pidfile: ""
    use-syslog: no
    num-threads: 1
    so-reuseport: yes
    module-config: "iterator"
    do-not-query-localhost: no
    outgoing-range: 4096
    incoming-num-tcp: 100
    msg-cache-size: {cache_mebibytes}m
    rrset-cache-size: {2 * cache_mebibytes}m
    local-zone: "10.in-addr.arpa." nodefault
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{site.upstream_port}
    forward-tcp-upstream: yes
"""
    return ["unbound", "-d", "-c", site.write("unbound.conf", text)]


def _dnsmasq(site: Site) -> list[str]:
    options = [
        "keep-in-foreground",
        "conf-file=/dev/null",
        "no-hosts",
        "no-resolv",
        "bind-interfaces",
        "listen-address=127.0.0.1",
        f"port={site.port}",
        f"server=127.0.0.1#{site.upstream_port}",
        f"cache-size={2 * site.names}",
        "dns-forward-max=1000",
        "user=root",
        "pid-file",
    ]
    return ["dnsmasq", *(f"--{option}" for option in options)]


def _dnsdist(site: Site) -> list[str]:
    text = f"""\
setLocal("127.0.0.1:{site.port}", {{reusePort=true}})
newServer({{address="127.0.0.1:{site.upstream_port}", tcpOnly=true, name="upstream"}})
getPool(""):setCache(newPacketCache({max(2 * site.names, 10_000)}))
setMaxTCPClientThreads(1)
setSecurityPollSuffix("")
"""
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", site.write("dnsdist.conf", text)]


def _knot_resolver(site: Site) -> list[str]:
    text = f"""\
net.listen('127.0.0.1', {site.port}, {{ kind = 'dns' }})
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('ta_sentinel')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
trust_anchors.remove('.')
modules = {{ 'stats' }}
cache.size = 100 * MB
policy.add(policy.all(policy.STUB('127.0.0.1@{site.upstream_port}')))
"""
    return ["kresd", "-n", "-q", "-c", site.write("kresd.conf", text), str(site.folder)]


def _powerdns_recursor(site: Site) -> list[str]:
    options = [
        f"config-dir={site.folder}",
        f"socket-dir={site.folder}",
        "daemon=no",
        "local-address=127.0.0.1",
        f"local-port={site.port}",
        f"forward-zones-recurse=.=127.0.0.1:{site.upstream_port}",
        "dont-query=",
        "threads=1",
        "pdns-distributes-queries=no",
        "dnssec=off",
        "security-poll-suffix=",
        "disable-syslog=yes",
        "export-etc-hosts=no",
        "max-cache-entries=1000000",
        "max-packetcache-entries=500000",
        "write-pid=no",
    ]
    site.write("recursor.conf", "")
    return ["pdns_recursor", *(f"--{option}" for option in options)]


def _bind(site: Site) -> list[str]:
    text = f"""\
options {{
    directory "{site.folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {site.port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    forward only;
    forwarders {{ 127.0.0.1 port {site.upstream_port}; }};
    recursion yes;
    allow-query {{ any; }};
    dnssec-validation no;
    empty-zones-enable no;
    minimal-responses yes;
    recursive-clients 10000;
}};
controls {{ }};
"""
    return ["named", "-g", "-n", "1", "-c", site.write("named.conf", text)]


UNBOUND = Peer(
    "unbound", "Unbound", _unbound, program="unbound", package="unbound", version=first_version("unbound", "-V")
)
DNSMASQ = Peer(
    "dnsmasq",
    "dnsmasq",
    _dnsmasq,
    program="dnsmasq",
    package="dnsmasq",
    version=first_version("dnsmasq", "--version"),
    upstream_transport="udp",
    note="asks as it is asked: misses of UDP clients go upstream over UDP",
    unsuited={"tcp": "closes every connection after 100 questions, which dnsperf counts as lost"},
)
DNSDIST = Peer(
    "dnsdist", "dnsdist", _dnsdist, program="dnsdist", package="dnsdist", version=first_version("dnsdist", "--version")
)
KNOT_RESOLVER = Peer(
    "knot",
    "Knot Resolver",
    _knot_resolver,
    program="kresd",
    package="knot-resolver",
    version=first_version("kresd", "--version"),
    upstream_transport="udp",
    note="told to use TCP it answers one miss in twelve with SERVFAIL at this load: misses go upstream over UDP",
)
POWERDNS_RECURSOR = Peer(
    "pdns",
    "PowerDNS Recursor",
    _powerdns_recursor,
    program="pdns_recursor",
    package="pdns-recursor",
    version=first_version("pdns_recursor", "--version"),
    upstream_transport="udp",
    note="has no switch for plain TCP: misses go upstream over UDP",
)
BIND = Peer(
    "bind",
    "BIND",
    _bind,
    program="named",
    package="bind9",
    version=first_version("named", "-V"),
    upstream_transport="udp",
    note="would open a connection for each question over TCP and run out of ports: misses go upstream over UDP",
)
