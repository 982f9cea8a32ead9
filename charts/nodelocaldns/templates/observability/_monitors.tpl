{{/*
The label `job` of a program's series, and so what the alerts select by: (list $ "resolver").
*/}}
{{- define "nodelocaldns.job" -}}
{{- printf "%s-%s" (include "nodelocaldns.fullname" (first .)) (last .) -}}
{{- end -}}

{{- define "nodelocaldns.resolver.adminPort" -}}
{{- (include "nodelocaldns.resolver.config" . | fromYaml).admin.port | int -}}
{{- end -}}

{{/*
Targets of the resolver: (list $ settings). One per node, whatever pods there are: while an upgrade hands over, old and new pod share the
node's address and the socket, and what answers is the new one. Without the pod's name both are the same target, its series go on, and
nothing is counted twice.
*/}}
{{- define "nodelocaldns.resolver.relabelings" -}}
{{- $root := first . -}}
- action: replace
  sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
- action: replace
  targetLabel: job
  replacement: {{ include "nodelocaldns.job" (list $root "resolver") }}
- action: labeldrop
  regex: (pod|container|endpoint|service)
{{- with (last .).relabelings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "nodelocaldns.webhook.relabelings" -}}
{{- $root := first . -}}
- action: replace
  sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
- action: replace
  targetLabel: job
  replacement: {{ include "nodelocaldns.job" (list $root "webhook") }}
{{- with (last .).relabelings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What endpoints of both kinds of monitors have in common: the settings of observability.podMonitor or .serviceMonitor. */}}
{{- define "nodelocaldns.scrape" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
