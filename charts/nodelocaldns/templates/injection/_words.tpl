{{/*
What the registration, the policies and the guard share. `nodelocaldns-webhook --print registration|policy|guard` prints the same
objects; a test compares.
*/}}
{{- define "nodelocaldns.inject" -}}nodelocaldns.io/inject{{- end -}}

{{/* Namespaces that opted in ("In"), or all others ("NotIn"), without those that are left alone: (list $ operator). */}}
{{- define "nodelocaldns.namespaceSelector" -}}
{{- $root := first . -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- range append $root.Values.injection.excludedNamespaces $root.Release.Namespace | uniq | sortAlpha }}
      - {{ . }}
      {{- end }}
  - key: {{ include "nodelocaldns.inject" . }}
    operator: {{ last . }}
    values: ["true"]
{{- end -}}
