{{/*
resolver.yaml: what the values say, with resolver.config merged over it.

The address of the upstream Service is not known when a chart is rendered. The kubelet tells it to containers of the same namespace
in an environment variable, and resolver.yaml names the variable.
*/}}
{{- define "nodelocaldns.resolver.config" -}}
{{- $dns := .Values.dns -}}
{{- $mode := .Values.resolver.mode -}}
{{- $addresses := list $dns.localAddress -}}
{{- with $dns.localAddressIPv6 }}{{ $addresses = append $addresses . }}{{ end -}}
{{- if eq $mode "transparent" -}}
{{- $addresses = append $addresses (default (include "nodelocaldns.serviceHost" $dns.service.name) $dns.clusterDNS) -}}
{{- with $dns.clusterDNSIPv6 }}{{ $addresses = append $addresses . }}{{ end -}}
{{- end -}}
{{- $upstreams := $dns.upstreams -}}
{{- if not $upstreams -}}
{{- $upstreams = list (default (include "nodelocaldns.serviceHost" $dns.upstreamService.name) $dns.upstreamService.clusterIP) -}}
{{- end -}}
{{- if .Values.resolver.kubernetes.endpoints -}}
{{- $upstreams = list (dict "service" (printf "%s/%s" $dns.service.namespace $dns.upstreamService.name) "address" (first $upstreams)) -}}
{{- end -}}
{{- $cluster := dict "names" (list $dns.clusterDomain "in-addr.arpa" "ip6.arpa") "upstreams" $upstreams "transport" "tcp" -}}
{{- if .Values.resolver.kubernetes.freshness -}}
{{- $_ := set $cluster "freshness" true -}}
{{- end -}}
{{- $default := dict "names" (list ".") "upstreams" (list "/etc/resolv.conf") "transport" "tcp" -}}
{{- $zones := list (mergeOverwrite $cluster $dns.zones.cluster) (mergeOverwrite $default $dns.zones.default) -}}
{{- $onNode := ne $mode "podNetwork" -}}
{{- /* Each is one family: the one that the resolver's first address has is the one of the nodes' first addresses. */ -}}
{{- $all := ternary "::" "0.0.0.0" (contains ":" $dns.localAddress) -}}
{{- $listen := ternary (dict "addresses" $addresses "port" 53) (dict "addresses" (list $all) "port" 8053) $onNode -}}
{{- $node := dict "manageInterface" $onNode "notrack" $onNode -}}
{{- if $onNode -}}
{{- $_ := set $node "handoverSocket" (printf "%s/handover.sock" .Values.resolver.handoverPath) -}}
{{- $_ := set $node "user" (.Values.resolver.user | int64 | toString) -}}
{{- end -}}
{{- $config := dict "listen" $listen "zones" (concat $zones $dns.zones.extra) "node" $node "admin" (dict "address" $all "port" 9253) -}}
{{- if include "nodelocaldns.resolver.asks" . -}}
{{- $_ := set $config "kubernetes" (dict "node" "$(NODE_NAME)") -}}
{{- end -}}
{{- if .Values.resolver.kubernetes.pods -}}
{{- $_ := set $config.kubernetes "pods" true -}}
{{- $_ := set $config.admin "top" true -}}
{{- end -}}
{{- if .Values.resolver.adminToken.secretName -}}
{{- $_ := set $config.admin "tokenFile" "/etc/nodelocaldns-admin/token" -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.resolver.config)) -}}
{{- end -}}

{{/* Not empty: something of the API server is watched. */}}
{{- define "nodelocaldns.resolver.asks" -}}
{{- with .Values.resolver.kubernetes -}}
{{- if or .endpoints .freshness .pods -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* The keys that take a restart (docs/configuration.md): a change of anything else is reloaded in place. */}}
{{- define "nodelocaldns.resolver.restartKeys" -}}
{{- $config := include "nodelocaldns.resolver.config" . | fromYaml -}}
{{- $top := dict "top" (dig "admin" "top" false $config) "owners" (dig "admin" "ownersFile" "" $config) -}}
{{- toYaml (dict "workers" (dig "listen" "workers" "" $config) "node" $config.node "admin" $top) -}}
{{- end -}}
