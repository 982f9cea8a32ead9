"""What a pod of the table of cases must look like once it was created."""

from typing import Any

from tests.cases.injection import Case


def after_creation(case: Case, created: dict[str, Any]) -> None:
    """AssertionError unless the created pod is as the case says: injected, or as it was sent."""
    spec, annotations = created["spec"], created["metadata"].get("annotations", {})
    if case.injected is None:
        assert spec.get("dnsConfig") == case.spec.get("dnsConfig")
        assert spec["dnsPolicy"] == case.spec.get("dnsPolicy", "ClusterFirst")
        assert annotations == case.annotations
    else:
        assert (spec["dnsPolicy"], spec["dnsConfig"]) == ("None", case.dns_config)
        assert annotations == case.annotations | {"nodelocaldns.io/status": "injected"}
