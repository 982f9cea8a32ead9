"""What the chart renders: valid for every Kubernetes it claims, with no rights beyond those it needs."""

import functools
import itertools
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import kubernetes_validate
import pytest
from kubernetes_validate import utils

from tests.lab.helm import CHART, Document, RefusedError, Values, merged, one, preset, presets, render, resolver_yaml

OLDEST, NEWEST = "1.28", ".".join(kubernetes_validate.latest_version().split(".")[:2])
VERSIONS = [f"1.{minor}" for minor in range(28, int(NEWEST.partition(".")[2]) + 1)]
SINCE = {"MutatingAdmissionPolicy": "1.36", "ValidatingAdmissionPolicy": "1.30"}
"""Objects that older ones do not have; the values that ask for them say so."""
FOREIGN = {"cert-manager.io/v1", "cilium.io/v2", "monitoring.coreos.com/v1"}
"""Kinds of other projects, whose schemas are not at hand."""
TLS_FILES = {"webhook": {"tls": {"mode": "files", "secretName": "webhook-tls"}}}


def matrix() -> Iterator[Values]:
    """Every preset with every way of injection and of certificates."""
    modes = [
        {"injection": {"mode": mode}, "dns": {"clusterDNS": "10.96.0.10"}} for mode in ("webhook", "policy", "none")
    ]
    tls: list[Values] = [{}, {"webhook": {"tls": {"mode": "certManager"}}}, TLS_FILES]
    for name, mode, certificates in itertools.product(presets(), modes, tls):
        if mode["injection"]["mode"] == "webhook" or not certificates:
            yield merged(preset(name), mode, certificates)


def version_for(document: Document) -> str:
    kind = document["kind"].removesuffix("Binding")
    return SINCE.get(kind, OLDEST)


@pytest.fixture(autouse=True, scope="module")
def _schemas_are_read_once() -> Iterator[None]:
    """Those of one version are megabytes, and the library reads them for each object; this keeps a few versions."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("schema_contents", "all_versions"):
            patch.setattr(utils, name, functools.lru_cache(maxsize=60)(getattr(utils, name)))
        yield


def distinct(documents: Iterable[Document]) -> Collection[Document]:
    """Each once."""
    return {json.dumps(each, sort_keys=True): each for each in documents}.values()


def everything() -> list[Document]:
    """One rendering with all that can be switched on beside each other."""
    return render(
        {
            "dns": {"clusterDNS": "10.96.0.10"},
            "resolver": {"kubernetes": {"endpoints": True, "freshness": True, "pods": True}},
            "injection": {"guard": {"enabled": True}},
            "networkPolicy": {"clients": {"namespaces": ["shop"]}, "webhook": {"enabled": True}},
        }
    )


def test_every_combination_is_valid_for_the_oldest_and_the_newest_kubernetes() -> None:
    documents = distinct(each for values in matrix() for each in render(values))
    assert len(documents) > 50
    for document in documents:
        if document["apiVersion"] not in FOREIGN:
            for version in (version_for(document), NEWEST):
                kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_defaults_are_valid_for_every_kubernetes(version: str) -> None:
    for document in distinct([*render(), *everything()]):
        since = version_for(document)
        if int(version.partition(".")[2]) >= int(since.partition(".")[2]):
            kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_would_be_found() -> None:
    document = one(render(), "DaemonSet")
    document["spec"]["template"]["spec"]["hostNetwrok"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostNetwrok"):
        kubernetes_validate.validate(document, NEWEST, strict=True)


@pytest.mark.parametrize("name", ["release", "a-release-with-a-name-of-53-characters-which-is-the-most"[:53]])
def test_every_object_has_the_labels_and_its_place(name: str) -> None:
    documents = render({"commonLabels": {"team": "dns"}}, name=name, namespace="apps")
    for document in documents:
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == name
        assert labels["team"] == "dns"
        assert len(document["metadata"]["name"]) <= (63 if document["kind"] in {"Service", "Pod", "Namespace"} else 253)
        for key, value in labels.items():
            assert len(value) <= 63, key
    trial = one(documents, "Namespace")["metadata"]["name"]
    assert {each["metadata"].get("namespace") for each in documents} == {"apps", "kube-system", trial, None}


def names(documents: list[Document]) -> set[tuple[str, str, str]]:
    return {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in documents}


def test_no_two_objects_have_the_same_name() -> None:
    for values in ({}, preset("policy"), preset("cert-manager")):
        documents = render(values, namespace="kube-system")
        assert len(names(documents)) == len(documents)


def test_the_resolver_runs_beside_the_cluster_dns_where_its_variables_are() -> None:
    documents = render(namespace="apps")
    daemon_set, upstream = one(documents, "DaemonSet"), one(documents, "Service", "kube-dns-upstream")
    assert daemon_set["metadata"]["namespace"] == upstream["metadata"]["namespace"] == "kube-system"
    assert daemon_set["spec"]["template"]["spec"]["enableServiceLinks"] is True
    assert resolver_yaml(documents)["zones"][0]["upstreams"] == ["$(KUBE_DNS_UPSTREAM_SERVICE_HOST)"]
    assert one(documents, "Deployment")["metadata"]["namespace"] == "apps"


def test_a_pod_of_an_upgrade_fits_beside_the_old_one() -> None:
    daemon_set = one(render(), "DaemonSet")
    assert daemon_set["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    spec = daemon_set["spec"]["template"]["spec"]
    assert spec["hostNetwork"] is True
    assert [container.get("ports") for container in spec["containers"]] == [None]
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    assert paths == {"handover": mounts["handover"]}
    assert resolver_yaml(render())["node"]["handoverSocket"].startswith(f"{mounts['handover']}/")


def test_a_rollout_can_be_slowed_down() -> None:
    assert one(render(), "DaemonSet")["spec"]["minReadySeconds"] == 0
    assert one(render({"resolver": {"minReadySeconds": 60}}), "DaemonSet")["spec"]["minReadySeconds"] == 60


def test_another_version_of_the_chart_alone_replaces_no_pod() -> None:
    for kind in ("DaemonSet", "Deployment"):
        found = one(render({"commonLabels": {"team": "dns"}}), kind)
        labels = found["spec"]["template"]["metadata"]["labels"]
        assert "helm.sh/chart" not in labels
        assert labels["team"] == "dns"
        assert found["spec"]["selector"]["matchLabels"].items() <= labels.items()


def containers(documents: list[Document]) -> Iterator[tuple[Document, Document]]:
    """Pods' specs with their containers."""
    for each in documents:
        spec = each["spec"] if each["kind"] == "Pod" else each.get("spec", {}).get("template", {}).get("spec")
        if spec:
            yield from ((spec, container) for container in spec["containers"])


@pytest.mark.parametrize("values", [{}, preset("cilium")], ids=["node", "pod network"])
def test_containers_have_no_rights_but_those_of_the_resolver_on_the_node(values: Values) -> None:
    found = list(containers(render(values)))
    assert len(found) == 3
    for spec, container in found:
        context = container["securityContext"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
        assert context["capabilities"]["drop"] == ["ALL"]
        assert not {"hostPID", "hostIPC"} & set(spec)
        if spec.get("hostNetwork"):
            wanted = ["NET_ADMIN", "NET_BIND_SERVICE", "SETUID", "SETGID", "KILL"]
            assert context["capabilities"]["add"] == wanted
        else:
            assert "add" not in context["capabilities"]
            assert context["runAsNonRoot"] is True
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


def rules(documents: list[Document]) -> dict[tuple[str, str, str], list[Document]]:
    """What may be done, by kind of role, namespace and name."""
    return {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each["rules"]
        for each in documents
        if each["kind"] in {"Role", "ClusterRole"} and "trial" not in each["metadata"]["name"]
    }


def test_the_webhook_may_touch_named_objects_only() -> None:
    found = rules(render())
    assert found == {
        ("Role", "nodelocaldns", "nodelocaldns-webhook"): [
            rule("", "secrets", "nodelocaldns-webhook-ca", "get", "update"),
            rule("coordination.k8s.io", "leases", "nodelocaldns-webhook", "get", "update"),
        ],
        ("ClusterRole", "", "nodelocaldns-webhook"): [
            rule(
                "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "nodelocaldns-webhook", "get", "patch"
            ),
        ],
        ("Role", "kube-system", "nodelocaldns-webhook-discovery"): [
            rule("", "services", "kube-dns", "get", "list", "watch")
        ],
    }
    bound = {
        (each["kind"].removesuffix("Binding"), each["metadata"].get("namespace", ""), each["roleRef"]["name"])
        for each in render()
        if each["kind"].endswith("Binding") and "trial" not in each["metadata"]["name"]
    }
    assert bound == set(found)


def rule(group: str, resource: str, name: str, *verbs: str) -> Document:
    return {"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": list(verbs)}


def test_what_is_not_needed_is_not_allowed() -> None:
    with_certificate = rules(render({"dns": {"clusterDNS": "10.96.0.10"}, **preset("cert-manager")}))
    assert with_certificate == {
        ("ClusterRole", "", "nodelocaldns-webhook"): [
            rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "nodelocaldns-webhook", "get")
        ]
    }
    assert rules(render(preset("policy"))) == {}
    assert rules(render({"rbac": {"create": False}})) == {}


@pytest.mark.parametrize(
    ("asks", "resources"),
    [
        ("endpoints", {"endpointslices", "nodes"}),
        ("freshness", {"endpointslices", "services"}),
        ("pods", {"pods"}),
    ],
)
def test_the_resolver_may_read_what_it_watches_and_change_nothing(asks: str, resources: set[str]) -> None:
    documents = render({"resolver": {"kubernetes": {asks: True}}})
    found = [
        rule for (_, _, name), given in rules(documents).items() if name == "nodelocaldns-resolver" for rule in given
    ]
    assert {resource for rule in found for resource in rule["resources"]} == resources
    assert {verb for rule in found for verb in rule["verbs"]} <= {"get", "list", "watch"}
    pod = one(documents, "DaemonSet")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is True
    assert resolver_yaml(documents)["kubernetes"]["node"] == "$(NODE_NAME)"


def test_the_secret_and_the_lease_are_empty_and_belong_to_the_release() -> None:
    documents = render()
    secret = one(documents, "Secret", "nodelocaldns-webhook-ca")
    lease = one(documents, "Lease", "nodelocaldns-webhook")
    assert set(secret) == {"apiVersion", "kind", "metadata", "type"}
    assert set(lease) == {"apiVersion", "kind", "metadata"}
    assert not [each for each in render(preset("cert-manager")) if each["kind"] in {"Secret", "Lease"}]


def test_the_certificate_of_cert_manager_is_the_one_that_is_mounted_and_trusted() -> None:
    documents = render(preset("cert-manager"))
    certificate = one(documents, "Certificate", "nodelocaldns-webhook")
    volumes = one(documents, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert certificate["spec"]["secretName"] == next(v["secret"]["secretName"] for v in volumes if "secret" in v)
    assert "nodelocaldns-webhook.nodelocaldns.svc" in certificate["spec"]["dnsNames"]
    annotations = one(documents, "MutatingWebhookConfiguration")["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": "nodelocaldns/nodelocaldns-webhook"}
    own = merged(preset("cert-manager"), {"webhook": {"tls": {"certManager": {"issuerRef": {"name": "corp"}}}}})
    assert one(render(own), "Certificate")["spec"]["issuerRef"] == {"name": "corp"}
    assert not [each for each in render(own) if each["kind"] == "Issuer"]


def test_files_of_ones_own_are_mounted_and_trusted() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    documents = render(merged(TLS_FILES, {"webhook": {"tls": {"caBundle": pem}}}))
    volumes = one(documents, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tls", "secret": {"secretName": "webhook-tls"}} in volumes
    for entry in one(documents, "MutatingWebhookConfiguration")["webhooks"]:
        assert entry["clientConfig"]["caBundle"]


def checksum(values: Values) -> Any:
    return one(render(values), "DaemonSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]


@pytest.mark.parametrize(
    ("config", "rolls"),
    [
        ({"cache": {"size": "32Mi"}}, False),
        ({"log": {"level": "debug"}}, False),
        ({"listen": {"workers": 2}}, True),
        ({"node": {"interface": "dns0"}}, True),
        ({"node": {"notrack": False}}, True),
    ],
)
def test_pods_are_replaced_for_what_cannot_be_reloaded_only(config: Values, *, rolls: bool) -> None:
    assert (checksum({"resolver": {"config": config}}) != checksum({})) is rolls
    always = {"configRollout": "always"}
    assert checksum({"resolver": {"config": config, **always}}) != checksum({"resolver": always})


def test_the_webhook_is_replaced_when_its_configuration_changes() -> None:
    def found(values: Values) -> Any:
        return one(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert found({"injection": {"ndots": 3}}) != found({})
    assert found({"resolver": {"config": {"cache": {"size": "32Mi"}}}}) == found({})


def test_one_replica_has_no_disruption_budget_that_would_stop_a_drain() -> None:
    assert [each for each in render() if each["kind"] == "PodDisruptionBudget"]
    assert not [each for each in render({"webhook": {"replicas": 1}}) if each["kind"] == "PodDisruptionBudget"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dns": {"upstreamService": {"enabled": False}}}, "dns.upstreams: must be given"),
        ({"resolver": {"namespace": "dns"}}, "resolver.namespace: in dns the kubelet does not tell"),
        (
            {"resolver": {"namespace": "dns", "mode": "transparent"}, "dns": {"upstreams": ["10.96.0.11"]}},
            "dns.clusterDNS: must be given with resolver.mode transparent",
        ),
        ({"dns": {"upstreamService": {"name": "kube-dns"}}}, "dns.upstreamService.name: is the name of dns.service"),
        ({"dns": {"clusterDNS": "169.254.20.10"}}, "169.254.20.10 is the resolver itself"),
        (
            {"dns": {"clusterDNS": "10.96.0.10", "upstreamService": {"clusterIP": "10.96.0.10"}}},
            "dns.upstreamService.clusterIP: 10.96.0.10 is dns.clusterDNS",
        ),
        (
            {"resolver": {"mode": "transparent"}, "dns": {"clusterDNS": "10.96.0.10", "upstreams": ["10.96.0.10"]}},
            "dns.upstreams: 10.96.0.10 is the resolver itself",
        ),
        ({"dns": {"clusterDNSIPv6": "fd00::a"}}, "dns.clusterDNS: must be given with dns.clusterDNSIPv6"),
        ({"resolver": {"ciliumLocalRedirectPolicy": {"enabled": True}}}, "needs resolver.mode podNetwork"),
        ({"injection": {"mode": "policy"}}, "dns.clusterDNS: must be given with injection.mode policy"),
        ({"webhook": {"tls": {"mode": "files"}}}, "webhook.tls.secretName: must be given"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.webhookName: must be given"),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_values_that_do_not_go_together_are_refused(values: Values, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        render(values)


def test_the_trial_leaves_nothing_and_may_create_pods_in_a_namespace_of_its_own_only() -> None:
    hooks = [each for each in render() if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    assert {each["kind"] for each in hooks} == {
        "ConfigMap", "ServiceAccount", "Namespace", "Role", "RoleBinding", "Pod",
    }  # fmt: skip
    for each in hooks:
        assert "hook-succeeded" in each["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    trial = one(hooks, "Role")
    assert trial["metadata"]["namespace"] == one(hooks, "Namespace")["metadata"]["name"] == "nodelocaldns-trial"
    assert trial["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}]
    assert not [each for each in render({"tests": {"enabled": False}}) if "trial" in each["metadata"]["name"]]


def test_without_injection_the_trial_looks_names_up_only() -> None:
    pod = one(render({"injection": {"mode": "none"}}), "Pod")
    assert pod["spec"]["containers"][0]["args"] == ["--trial"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["dnsConfig"] == {"nameservers": ["169.254.20.10"]}


def test_clients_behind_network_policies_reach_the_resolver_and_the_cluster_dns() -> None:
    policy = one(everything(), "NetworkPolicy", "nodelocaldns-clients")
    assert policy["metadata"]["namespace"] == "shop"
    (egress,) = policy["spec"]["egress"]
    blocks = [peer["ipBlock"]["cidr"] for peer in egress["to"] if "ipBlock" in peer]
    assert blocks == ["169.254.20.10/32", "10.96.0.10/32"]
    assert {(port["protocol"], port["port"]) for port in egress["ports"]} == {("UDP", 53), ("TCP", 53)}


def test_a_redirect_of_cilium_leads_to_the_port_that_the_resolver_listens_on() -> None:
    documents = render(preset("cilium"))
    policy = one(documents, "CiliumLocalRedirectPolicy")["spec"]
    config = resolver_yaml(documents)
    assert {port["port"] for port in policy["redirectBackend"]["toPorts"]} == {str(config["listen"]["port"])}
    assert policy["redirectFrontend"]["addressMatcher"]["ip"] == "169.254.20.10"
    service = merged(preset("cilium"), {"resolver": {"ciliumLocalRedirectPolicy": {"frontend": "service"}}})
    frontend = one(render(service), "CiliumLocalRedirectPolicy")["spec"]["redirectFrontend"]
    assert frontend == {"serviceMatcher": {"serviceName": "kube-dns", "namespace": "kube-system"}}
    labels = one(documents, "DaemonSet")["spec"]["template"]["metadata"]["labels"]
    assert policy["redirectBackend"]["localEndpointSelector"]["matchLabels"].items() <= labels.items()


def test_every_preset_is_said_what_it_is_for() -> None:
    for name in presets():
        assert (CHART / "presets" / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


def test_the_admin_token_is_mounted_for_the_workers_and_named_in_the_file() -> None:
    documents = render({"resolver": {"adminToken": {"secretName": "dns-admin", "key": "bearer"}, "user": 4321}})
    spec = one(documents, "DaemonSet")["spec"]["template"]["spec"]
    (volume,) = (each for each in spec["volumes"] if each["name"] == "admin-token")
    secret = {"secretName": "dns-admin", "defaultMode": 0o440, "items": [{"key": "bearer", "path": "token"}]}
    assert volume["secret"] == secret
    (mount,) = (each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "admin-token")
    assert resolver_yaml(documents)["admin"]["tokenFile"] == f"{mount['mountPath']}/token"
    assert mount["readOnly"]
    assert spec["securityContext"]["fsGroup"] == 4321
    kubernetes_validate.validate(one(documents, "DaemonSet"), OLDEST, strict=True)


def test_without_an_admin_token_nothing_of_it_is_rendered() -> None:
    spec = one(render(), "DaemonSet")["spec"]["template"]["spec"]
    assert "fsGroup" not in spec["securityContext"]
    assert "tokenFile" not in resolver_yaml(render())["admin"]
