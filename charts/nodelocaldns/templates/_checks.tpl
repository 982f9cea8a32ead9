{{/*
What only shows when values are seen together; what a single value may be is in values.schema.json. Each message names the values.
Included by the ConfigMap of the resolver, which is always rendered.
*/}}
{{- define "nodelocaldns.checks" -}}
{{- $dns := .Values.dns -}}
{{- $mode := .Values.resolver.mode -}}
{{- $upstream := $dns.upstreamService -}}
{{- $direct := or $dns.upstreams $dns.zones.cluster.upstreams (dig "zones" "" .Values.resolver.config) -}}
{{- $namespace := include "nodelocaldns.resolver.namespace" . -}}

{{- if not (or $upstream.enabled $direct) -}}
{{- fail "dns.upstreams: must be given where dns.upstreamService.enabled is false" -}}
{{- end -}}
{{- if and (ne $namespace $dns.service.namespace) (not $direct) (not $upstream.clusterIP) -}}
{{- fail (printf "resolver.namespace: in %s the kubelet does not tell the resolver the address of a Service of %s: give dns.upstreamService.clusterIP or dns.upstreams" $namespace $dns.service.namespace) -}}
{{- end -}}
{{- if and (eq $mode "transparent") (ne $namespace $dns.service.namespace) (not $dns.clusterDNS) -}}
{{- fail (printf "dns.clusterDNS: must be given with resolver.mode transparent and resolver.namespace %s" $namespace) -}}
{{- end -}}
{{- if and .Values.resolver.kubernetes.endpoints (or $dns.upstreams (not $upstream.enabled)) -}}
{{- fail "resolver.kubernetes.endpoints: needs dns.upstreamService.enabled, and no dns.upstreams" -}}
{{- end -}}
{{- if eq $upstream.name $dns.service.name -}}
{{- fail "dns.upstreamService.name: is the name of dns.service already" -}}
{{- end -}}
{{- range $address := compact (list $dns.clusterDNS $dns.clusterDNSIPv6) -}}
{{- if or (eq $address $dns.localAddress) (eq $address $dns.localAddressIPv6) -}}
{{- fail (printf "dns.clusterDNS: %s is the resolver itself, dns.localAddress" $address) -}}
{{- end -}}
{{- if eq $address $upstream.clusterIP -}}
{{- fail (printf "dns.upstreamService.clusterIP: %s is dns.clusterDNS" $address) -}}
{{- end -}}
{{- if and (eq $mode "transparent") (has $address $dns.upstreams) -}}
{{- fail (printf "dns.upstreams: %s is the resolver itself in resolver.mode transparent" $address) -}}
{{- end -}}
{{- end -}}
{{- if and $dns.clusterDNSIPv6 (not $dns.clusterDNS) -}}
{{- fail "dns.clusterDNS: must be given with dns.clusterDNSIPv6" -}}
{{- end -}}
{{- if and .Values.resolver.ciliumLocalRedirectPolicy.enabled (ne $mode "podNetwork") -}}
{{- fail (printf "resolver.ciliumLocalRedirectPolicy.enabled: needs resolver.mode podNetwork, got %s" $mode) -}}
{{- end -}}

{{- if and (eq .Values.injection.mode "policy") (not $dns.clusterDNS) -}}
{{- fail "dns.clusterDNS: must be given with injection.mode policy: a policy cannot discover it" -}}
{{- end -}}
{{- if and (eq .Values.injection.mode "webhook") (eq .Values.webhook.tls.mode "files") (not .Values.webhook.tls.secretName) -}}
{{- fail "webhook.tls.secretName: must be given with webhook.tls.mode files" -}}
{{- end -}}
{{- if and (eq .Values.injection.mode "webhook") (not .Values.serviceAccount.create) (not .Values.serviceAccount.webhookName) -}}
{{- fail "serviceAccount.webhookName: must be given where serviceAccount.create is false" -}}
{{- end -}}
{{- end -}}
