"""A certificate authority made for one test run, and a DNS server's certificate from it. Needs openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import needs

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Authority:
    """Files in PEM: the authority's own certificate, and the server's with its key."""

    certificate: Path
    server_certificate: Path
    server_key: Path


def make_authority(folder: Path, *names: str) -> Authority:
    """Make one in `folder`; the server's certificate is for `names`, such as DNS:dns.example or IP:127.0.0.1."""
    _openssl(folder, "req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA")
    _openssl(folder, "req", *_KEY, "-keyout", "key.pem", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "names").write_text(f"subjectAltName={','.join(names)}\n")
    sign = ("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    _openssl(folder, *sign, "-in", "server.csr", "-out", "cert.pem")
    return Authority(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([needs.program("openssl"), *arguments], cwd=folder, check=True, capture_output=True)
