"""The dearest texts and records that anybody has thought of, for the doors that no packet comes through."""

import json
from typing import Final, cast

from resolver.config.document import complete_example
from resolver.config.yamltext import MOST_DEEP
from resolver.ops.http import HEAD_LINES

CONFIGURATION: Final = complete_example()
CONFIGURATIONS: Final = {
    "10,000 lists in each other": "[" * 10_000,
    "10,000 items of items": "- " * 10_000,
    "as many mappings in each other as are read": "{a: " * MOST_DEEP + "1" + "}" * MOST_DEEP,
    "a line of 10,000 words": "a: " + "b " * 10_000,
    "aliases of aliases": "a: &a [1]\n" + "".join(f"k{at}: &k{at} [*a, *a, *a]\n" for at in range(300)),
    "300 mistakes": "".join(f"k{at}: {at}\n" for at in range(300)),
    "300 zones": "zones:\n" + "".join(f"- names: [n{at}.]\n  upstreams: [10.0.0.1]\n" for at in range(300)),
}
COREFILE: Final = (
    "cluster.local:53 {\n errors\n cache {\n success 9984 30\n denial 9984 5\n }\n reload\n loop\n"
    " bind 169.254.20.10\n forward . 10.96.0.11 {\n force_tcp\n }\n prometheus :9253\n health 169.254.20.10:8080\n}\n"
    ".:53 {\n errors\n cache 30\n reload\n loop\n bind 169.254.20.10\n"
    " forward . /etc/resolv.conf\n prometheus :9253\n}\n"
)
COREFILES: Final = {
    "10,000 braces": "a " + "{\n" * 10_000,
    "10,000 words": ". " * 10_000,
    "a text in quotes that does not end": '. {\n forward "' + "\\" * 20_000,
    "snippets that double each other": "(s0) {\n log\n log\n}\n"
    + "".join(f"(s{at + 1}) {{\n import s{at}\n import s{at}\n}}\n" for at in range(40))
    + ". {\n import s40\n}\n",
    "300 zones": "".join(f"z{at} {{\n forward . 10.0.0.1\n}}\n" for at in range(300)),
}
RESOLV_CONF: Final = "nameserver 10.96.0.10\nsearch svc.cluster.local cluster.local example.com\noptions ndots:5\n"
RESOLV_CONFS: Final = {
    "3,000 nameservers": "".join(f"nameserver 10.0.{at // 256}.{at % 256}\n" for at in range(3000)),
    "1,500 with IPv6": "".join(f"nameserver 2001:db8:1:2:3:4:5:{at:x}\n" for at in range(1500)),
    "64 KiB of nothing": "\n" * 65_536,
    "64 KiB of search domains": "search " + "a.b " * 16_384,
    "6,000 search lines": "search a.b\n" * 6000,
    "addresses that are none": "nameserver 1:2:3:4:5:6:7:8:9\n" * 2300,
}
_HEAD = b" HTTP/1.1\r\nHost: node:9253\r\nUser-Agent: Prometheus/2.53\r\nAccept: */*\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REQUEST: Final = b"GET /cache" + _HEAD + b"\r\n"
REQUESTS: Final = {
    "as many header fields as are read": b"GET /cache" + _HEAD + b"a:\r\n" * (HEAD_LINES - 5) + b"\r\n",
    "as many as there is room for": b"GET /cache" + _HEAD + b"a:\r\n" * 16_000,
    "one field in as many lines": b"GET /cache" + _HEAD + b"a: b\r\n" + b" c\r\n" * (HEAD_LINES - 6) + b"\r\n",
    "a head of 4 KiB": b"GET /cache?" + b"%41" * 1300 + _HEAD + b"\r\n",
    "a head that does not end": b"GET /cache" + _HEAD + b"a: " + b"b" * 65_000,
    "16 parameters": b"GET /cache?" + b"&".join(b"%%61%d=%%25" % at for at in range(16)) + _HEAD + b"\r\n",
    "a name of 126 labels": b"GET /cache?name=" + b"a." * 126 + _HEAD + b"\r\n",
    "a body in chunks of one octet": b"GET /cache"
    + _HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"1\r\na\r\n" * 10_000,
    "no HTTP": b"\x16\x03\x01" + bytes(8000),
}


def review(**more: object) -> bytes:
    """Of a pod that asks to be injected; `more` is put into its specification."""
    annotations = cast("dict[str, str]", more.pop("annotations", {}))
    metadata = {"name": "web", "annotations": {"nodelocaldns.io/inject": "true", **annotations}}
    spec = {"containers": [{"name": "app", "image": "registry.invalid/app:1"}], **more}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "plain",
        "operation": "CREATE",
        "object": pod,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


REVIEWS: Final = {
    "10,000 annotations": review(annotations={f"a{at}": "b" for at in range(10_000)}),
    "10,000 search domains": review(dnsConfig={"searches": [f"n{at}.test" for at in range(10_000)]}),
    "10,000 options": review(dnsConfig={"options": [{"name": f"o{at}", "value": "1"} for at in range(10_000)]}),
    "10,000 containers": review(containers=[{"name": f"c{at}", "image": "a"} for at in range(10_000)]),
    "10,000 lists in each other": b"[" * 10_000,
    "a number of 4,000 digits": b"9" * 4000,
    "300 KiB of numbers": b"[" + b"1," * 150_000 + b"1]",
    "300 KiB of escapes": b'"' + b"\\u0041" * 50_000 + b'"',
}
