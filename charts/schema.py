"""What each value of the chart may be. Keys that are missing here take the type of their default, see `charts.values`.

Meanings and defaults stand in values.yaml and nowhere else.
"""

import re
from pathlib import Path
from typing import Final

from charts import forms
from charts.forms import Form
from charts.programs import form_of
from resolver.config.schema import CONFIG as RESOLVER
from resolver.config.schema import ZONE
from webhook.schema import CONFIG as WEBHOOK

_ZONE: Final = form_of(ZONE)

_COUNTS_AND_SECONDS: Final = (
    "leastQueriesPerSecond", "nodesUnavailable", "nodesLeftOut", "lookupSeconds", "upstreamSeconds", "withoutUpstream",
    "rejectedLookups", "repairsPerHour", "evictionRatio", "workersReplaced", "restartsPerHour", "defects",
    "eventLoopSeconds", "lostPerSecond", "failOpen", "certificateSeconds", "webhookErrors", "webhookSeconds",
    "podsLeftOutPerHour",
)  # fmt: skip

_ALERTS: Final = re.findall(
    r"^ +- alert: (\w+)$",
    (Path(__file__).parent / "nodelocaldns" / "files" / "alerts.yaml").read_text(encoding="utf-8"),
    re.MULTILINE,
)

FORMS: Final[dict[str, Form]] = {
    "nameOverride": forms.or_empty(forms.NAME),
    "fullnameOverride": forms.or_empty(forms.NAME),
    "commonLabels": forms.LABELS,
    "image.registry": forms.text("[A-Za-z0-9.:_-]*"),
    "image.repository": forms.text("[a-z0-9]+([._/-]+[a-z0-9]+)*"),
    "image.tag": forms.text(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"),
    "image.digest": forms.or_empty(forms.text("sha256:[0-9a-f]{64}")),
    "image.pullPolicy": forms.choice("Always", "IfNotPresent", "Never"),
    "image.pullSecrets": forms.list_of(forms.OBJECT_NAME),
    "dns.localAddress": forms.ADDRESS,
    "dns.localAddressIPv6": forms.or_empty(forms.ADDRESS_V6),
    "dns.clusterDomain": forms.DOMAIN,
    "dns.clusterDNS": forms.or_empty(forms.ADDRESS),
    "dns.clusterDNSIPv6": forms.or_empty(forms.ADDRESS_V6),
    "dns.service.name": forms.NAME,
    "dns.service.namespace": forms.NAME,
    "dns.upstreamService.name": forms.NAME,
    "dns.upstreamService.selector": forms.LABELS | {"minProperties": 1},
    "dns.upstreamService.targetPort": forms.PORT_OR_NAME,
    "dns.upstreamService.clusterIP": forms.or_empty(forms.ADDRESS),
    "dns.upstreamService.annotations": forms.TEXTS,
    "dns.upstreams": forms.list_of(forms.SERVER, uniqueItems=True),
    "dns.zones.cluster": _ZONE,
    "dns.zones.default": _ZONE,
    "dns.zones.extra": forms.list_of(_ZONE | {"required": ["names", "upstreams"]}),
    "resolver.mode": forms.choice("linkLocal", "transparent", "podNetwork"),
    "resolver.namespace": forms.or_empty(forms.NAME),
    "resolver.adminToken.secretName": forms.or_empty(forms.OBJECT_NAME),
    "resolver.adminToken.key": forms.text(r"[A-Za-z0-9._-]{1,253}"),
    "resolver.config": form_of(RESOLVER),
    "resolver.configRollout": forms.choice("restartKeys", "always"),
    "resolver.handoverPath": forms.PATH,
    "resolver.user": forms.number(1, 2**31 - 1),
    "resolver.resources": forms.RESOURCES,
    "resolver.priorityClassName": forms.or_empty(forms.OBJECT_NAME),
    "resolver.nodeSelector": forms.LABELS,
    "resolver.tolerations": forms.list_of(forms.TOLERATION),
    "resolver.affinity": forms.ANYTHING,
    "resolver.updateStrategy": forms.mapping(
        {"type": forms.choice("RollingUpdate", "OnDelete"), "rollingUpdate": forms.ROLLING}
    ),
    "resolver.minReadySeconds": forms.number(0, 3600),
    "resolver.terminationGracePeriodSeconds": forms.number(1, 3600),
    "resolver.podAnnotations": forms.TEXTS,
    "resolver.podLabels": forms.LABELS,
    "resolver.extraEnv": forms.list_of(forms.ENVIRONMENT),
    "resolver.securityContext": forms.ANYTHING,
    "resolver.startupProbe": forms.PROBE,
    "resolver.readinessProbe": forms.PROBE,
    "resolver.livenessProbe": forms.PROBE,
    "resolver.ciliumLocalRedirectPolicy.frontend": forms.choice("address", "service"),
    "injection.mode": forms.choice("webhook", "policy", "none"),
    "injection.ndots": forms.number(0, 15),
    "injection.timeout": forms.number(1, 30),
    "injection.attempts": forms.number(1, 5),
    "injection.failurePolicy": forms.choice("Ignore", "Fail"),
    "injection.timeoutSeconds": forms.number(1, 30),
    "injection.excludedNamespaces": forms.list_of(forms.NAME, uniqueItems=True),
    "webhook.replicas": forms.number(1, 100),
    "webhook.port": forms.PORT,
    "webhook.tls.mode": forms.choice("self", "certManager", "files"),
    "webhook.tls.caLifetime": forms.DURATION,
    "webhook.tls.secretName": forms.or_empty(forms.OBJECT_NAME),
    "webhook.tls.caBundle": forms.or_empty(
        forms.text(r"-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*")
    ),
    "webhook.tls.certManager.issuerRef": forms.ISSUER,
    "webhook.tls.certManager.duration": forms.GO_DURATION,
    "webhook.tls.certManager.renewBefore": forms.GO_DURATION,
    "webhook.config": form_of(WEBHOOK),
    "webhook.resources": forms.RESOURCES,
    "webhook.pdb.maxUnavailable": forms.COUNT_OR_SHARE,
    "webhook.priorityClassName": forms.or_empty(forms.OBJECT_NAME),
    "webhook.nodeSelector": forms.LABELS,
    "webhook.tolerations": forms.list_of(forms.TOLERATION),
    "webhook.affinity": forms.ANYTHING,
    "webhook.topologySpreadConstraints": forms.list_of(forms.ANYTHING),
    "webhook.updateStrategy": forms.mapping(
        {"type": forms.choice("RollingUpdate", "Recreate"), "rollingUpdate": forms.ROLLING}
    ),
    "webhook.terminationGracePeriodSeconds": forms.number(1, 3600),
    "webhook.podAnnotations": forms.TEXTS,
    "webhook.podLabels": forms.LABELS,
    "webhook.securityContext": forms.ANYTHING,
    "networkPolicy.clients.namespaces": forms.list_of(forms.NAME, uniqueItems=True),
    "networkPolicy.clients.podSelector": forms.ANYTHING,
    "networkPolicy.webhook.from": forms.list_of(forms.ANYTHING),
    **{
        f"observability.{kind}.{key}": form
        for kind in ("podMonitor", "serviceMonitor")
        for key, form in {
            "labels": forms.LABELS,
            "interval": forms.or_empty(forms.PROMETHEUS_DURATION),
            "scrapeTimeout": forms.or_empty(forms.PROMETHEUS_DURATION),
            "relabelings": forms.list_of(forms.ANYTHING),
            "metricRelabelings": forms.list_of(forms.ANYTHING),
        }.items()
    },
    "observability.rules.labels": forms.LABELS,
    "observability.rules.alertLabels": forms.TEXTS,
    "observability.rules.disabled": forms.list_of(forms.choice(*_ALERTS), uniqueItems=True),
    "observability.rules.runbookURL": forms.text("https?://[^ #]+"),
    "observability.rules.resolverSelector": forms.TEXT,
    "observability.rules.webhookSelector": forms.TEXT,
    **{f"observability.rules.thresholds.{name}": forms.at_least(0) for name in _COUNTS_AND_SECONDS},
    **{
        f"observability.rules.thresholds.{name}": forms.at_least(0, 1)
        for name in ("servfailRatio", "staleRatio", "cacheFullRatio", "hitRatio")
    },
    "observability.dashboard.namespace": forms.or_empty(forms.NAME),
    "observability.dashboard.labels": forms.LABELS,
    "observability.dashboard.annotations": forms.TEXTS,
    "tests.resources": forms.RESOURCES,
    "serviceAccount.annotations": forms.TEXTS,
    "serviceAccount.resolverName": forms.or_empty(forms.OBJECT_NAME),
    "serviceAccount.webhookName": forms.or_empty(forms.OBJECT_NAME),
}
"""By path in values.yaml. A mapping that is listed here is one value: no keys of it are looked for below."""
