{{/* A probe of an admin endpoint: (list path port settings). */}}
{{- define "nodelocaldns.probe" -}}
httpGet:
  path: {{ index . 0 }}
  port: {{ index . 1 }}
{{ toYaml (index . 2) }}
{{- end -}}

{{/*
On the node a root parent owns addresses, rules and port 53, and gives its workers nothing of it: SETUID and SETGID are for becoming
their user, KILL for ending one that stands still. In the pod network nobody needs any right.
*/}}
{{- define "nodelocaldns.resolver.securityContext" -}}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true -}}
{{- if ne .Values.resolver.mode "podNetwork" -}}
{{- $_ := set $context "runAsUser" 0 -}}
{{- $_ := set $context "runAsGroup" 0 -}}
{{- $_ := set $context "capabilities" (dict "drop" (list "ALL") "add" (list "NET_ADMIN" "NET_BIND_SERVICE" "SETUID" "SETGID" "KILL")) -}}
{{- else -}}
{{- $_ := set $context "runAsNonRoot" true -}}
{{- $_ := set $context "runAsUser" (int64 .Values.resolver.user) -}}
{{- $_ := set $context "runAsGroup" (int64 .Values.resolver.user) -}}
{{- $_ := set $context "capabilities" (dict "drop" (list "ALL")) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $context (deepCopy .Values.resolver.securityContext)) -}}
{{- end -}}
