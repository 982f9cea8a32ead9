{{/* Names. */}}
{{- define "nodelocaldns.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "nodelocaldns.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains (include "nodelocaldns.name" .) .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "nodelocaldns.name" .) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "nodelocaldns.webhook.name" -}}
{{- include "nodelocaldns.fullname" . }}-webhook
{{- end -}}

{{- define "nodelocaldns.resolver.serviceAccount" -}}
{{- $own := ternary (printf "%s-resolver" (include "nodelocaldns.fullname" .)) "default" .Values.serviceAccount.create -}}
{{- default $own .Values.serviceAccount.resolverName -}}
{{- end -}}

{{- define "nodelocaldns.webhook.serviceAccount" -}}
{{- $own := ternary (include "nodelocaldns.webhook.name" .) "default" .Values.serviceAccount.create -}}
{{- default $own .Values.serviceAccount.webhookName -}}
{{- end -}}

{{/* The namespace of the DaemonSet and all that belongs to it. */}}
{{- define "nodelocaldns.resolver.namespace" -}}
{{- default .Values.dns.service.namespace .Values.resolver.namespace -}}
{{- end -}}

{{/* Labels. Arguments: (list $ "component"), or "" for what belongs to both. */}}
{{- define "nodelocaldns.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ include "nodelocaldns.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "nodelocaldns.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "nodelocaldns.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: nodelocaldns
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of pods: not the chart's version, of which no pod has to be replaced. */}}
{{- define "nodelocaldns.podLabels" -}}
{{- $root := first . -}}
{{ include "nodelocaldns.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: nodelocaldns
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "nodelocaldns.image" -}}
{{- $image := .Values.image -}}
{{- $path := printf "%s/%s" $image.registry $image.repository | trimPrefix "/" -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "nodelocaldns.pullSecrets" -}}
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{/* The variable in which the kubelet tells a container the address of a Service of its namespace. */}}
{{- define "nodelocaldns.serviceHost" -}}
$({{ . | upper | replace "-" "_" }}_SERVICE_HOST)
{{- end -}}
