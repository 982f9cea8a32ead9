"""AdmissionReviews of the webhook: bad, or decided; the answer is allowed, and its patch is one that Kubernetes takes.

Input: an octet that chooses the path, then the body.
"""

import json
from collections.abc import Iterator

from tests.cases.injection import CASES, DNS
from tests.unit.webhook.admission import patched, review
from tests.unit.webhook.test_review import kubernetes_takes
from webhook.decision import decide
from webhook.review import BadReview, read_review, write_review


def seeds() -> Iterator[bytes]:
    for number, case in enumerate(CASES):
        yield bytes((number % 2,)) + review(case.pod("web-"), case.namespace)


def check(data: bytes) -> None:
    if not data:
        return
    try:
        ask = read_review(data[1:], by_namespace=bool(data[0] & 1))
    except BadReview as problem:
        assert str(problem)
        str(problem).encode("utf-8", "backslashreplace")
        return
    verdict = decide(ask, DNS, frozenset({"excluded"})).verdict
    response = json.loads(write_review(ask.uid, verdict))["response"]
    assert response["allowed"] is True
    assert response["uid"] == ask.uid
    if verdict.patch:
        kubernetes_takes(patched(dict(ask.pod), verdict.patch)["spec"]["dnsConfig"])
