{{- define "nodelocaldns.webhook.config" -}}
{{- $dns := .Values.dns -}}
{{- $addresses := list -}}
{{- with $dns.clusterDNS }}{{ $addresses = append $addresses . }}{{ end -}}
{{- with $dns.clusterDNSIPv6 }}{{ $addresses = append $addresses . }}{{ end -}}
{{- $tls := dict "mode" "files" "certFile" "/tls/tls.crt" "keyFile" "/tls/tls.key" -}}
{{- if eq .Values.webhook.tls.mode "self" -}}
{{- $tls = dict "mode" "self" "caLifetime" .Values.webhook.tls.caLifetime -}}
{{- end -}}
{{- $config := dict
  "listen" (dict "port" .Values.webhook.port)
  "tls" $tls
  "dns" (dict "localAddress" $dns.localAddress "clusterDNS" $addresses "clusterDomain" $dns.clusterDomain "ndots" .Values.injection.ndots "timeout" .Values.injection.timeout "attempts" .Values.injection.attempts)
  "cluster" (dict "namespace" .Release.Namespace "service" (include "nodelocaldns.webhook.name" .) "webhookConfiguration" (include "nodelocaldns.webhook.name" .) "dnsNamespace" $dns.service.namespace "dnsService" $dns.service.name "excludedNamespaces" .Values.injection.excludedNamespaces) -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.webhook.config)) -}}
{{- end -}}
