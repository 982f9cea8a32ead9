import json

from tests.cases.hostile import reviews
from tests.cases.injection import DNS
from tests.unit.webhook.admission import patched
from tests.unit.webhook.test_review import kubernetes_takes
from webhook.decision import decide
from webhook.review import BadReview, read_review, write_review

REVIEWS = 100_000


def test_of_many_hostile_reviews_each_is_bad_or_decided_and_every_patch_is_one_that_kubernetes_takes() -> None:
    bad = injected = 0
    for body, path in reviews(REVIEWS):
        try:
            ask = read_review(body, by_namespace=path == "/mutate/namespace")
        except BadReview:
            bad += 1
            continue
        verdict = decide(ask, DNS).verdict
        answer = json.loads(write_review(ask.uid, verdict))["response"]
        assert answer["allowed"] is True
        if verdict.patch:
            injected += 1
            kubernetes_takes(patched(dict(ask.pod), verdict.patch)["spec"]["dnsConfig"])
    assert bad > REVIEWS / 20
    assert injected > REVIEWS / 20
