"""The chart's policies and guard, written from the table that the webhook decides by (`webhook.rules`).

They are printed with marks in the place of settings, and each mark becomes an expression of the template. So a new rule
reaches the webhook, `--print` and the chart at once.
"""

from typing import Any, Final

import yaml

from webhook.guard import guard
from webhook.policy import policy
from webhook.profile import Dns
from webhook.values import Cluster

_MARKS: Final = {
    ", '@clusterDNS@'": "{{ range $addresses }}, '{{ . }}'{{ end }}",
    "@localAddress@": "{{ .Values.dns.localAddress }}",
    "@clusterDomain@": "{{ .Values.dns.clusterDomain }}",
    "@ndots@": "{{ .Values.injection.ndots }}",
    "@timeout@": "{{ .Values.injection.timeout }}",
    "@attempts@": "{{ .Values.injection.attempts }}",
    "failurePolicy: Ignore": "failurePolicy: {{ .Values.injection.failurePolicy }}",
    "name: nodelocaldns-": 'name: {{ include "nodelocaldns.fullname" . }}-',
    "policyName: nodelocaldns-": 'policyName: {{ include "nodelocaldns.fullname" . }}-',
    "labels: '@labels@'": 'labels:\n    {{- include "nodelocaldns.labels" (list . "injection") | nindent 4 }}',
    "namespaceSelector: '@In@'": 'namespaceSelector:\n      {{- include "nodelocaldns.namespaceSelector" (list . "In") '
    "| nindent 6 }}",
    "namespaceSelector: '@NotIn@'": "namespaceSelector:\n      "
    '{{- include "nodelocaldns.namespaceSelector" (list . "NotIn") | nindent 6 }}',
}
_HEAD: Final = """\
{{- /* Written by `python -m charts.document` from webhook/%(module)s.py, as `--print %(module)s` prints it. */ -}}
{{- if %(condition)s }}
"""


class _Dumper(yaml.SafeDumper):
    """Expressions as they are, without quotes around them that would have to be doubled inside."""


def _literal(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if " " in text else None)


_Dumper.add_representer(str, _literal)


def policy_template() -> str:
    """templates/injection/policy.yaml."""
    head = _HEAD % {"module": "policy", "condition": 'eq .Values.injection.mode "policy"'}
    addresses = "{{- $addresses := compact (list .Values.dns.clusterDNS .Values.dns.clusterDNSIPv6) }}\n"
    return head + addresses + _template(policy(_marked_dns(), Cluster())) + "{{- end }}\n"


def guard_template() -> str:
    """templates/injection/guard.yaml. It never refuses a pod, whatever happens to one that the webhook does not see."""
    head = _HEAD % {"module": "guard", "condition": ".Values.injection.guard.enabled"}
    text = _template(guard(_marked_dns(), Cluster()))
    return head + text.replace("{{ .Values.injection.failurePolicy }}", "Ignore") + "{{- end }}\n"


def _marked_dns() -> Dns:
    marks: Any = {name: f"@{name}@" for name in ("ndots", "timeout", "attempts")}
    return Dns(local_address="@localAddress@", cluster_dns=("@clusterDNS@",), cluster_domain="@clusterDomain@", **marks)


def _template(documents: list[dict[str, Any]]) -> str:
    for document in documents:
        document["metadata"]["labels"] = "@labels@"
        constraints = document["spec"].get("matchConstraints")
        if constraints:
            expressions = constraints["namespaceSelector"]["matchExpressions"]
            constraints["namespaceSelector"] = f"@{expressions[-1]['operator']}@"
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=1_000_000)
    if "{{" in text:
        raise ValueError("an expression looks like the beginning of a template's action")
    for mark, expression in _MARKS.items():
        text = text.replace(mark, expression)
    return text
