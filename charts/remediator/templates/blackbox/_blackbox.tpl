{{- define "remediator.blackbox.name" -}}
{{- include "remediator.exporter.name" (dict "root" . "suffix" "blackbox") -}}
{{- end -}}

{{/* The modules as they are written to the exporter's file, as JSON. Each prefers the protocol of IP that the values say, unless it says so itself. */}}
{{- define "remediator.blackbox.modules" -}}
{{- $modules := dict -}}
{{- range $name, $given := .Values.blackbox.modules -}}
{{- if not (kindIs "invalid" $given) -}}
{{- $module := deepCopy $given -}}
{{- $prober := $module.prober -}}
{{- $of := merge (default (dict) (get $module $prober)) (dict "preferred_ip_protocol" $.Values.blackbox.preferredIpProtocol) -}}
{{- $modules = set $modules $name (set $module $prober $of) -}}
{{- end -}}
{{- end -}}
{{- toJson $modules -}}
{{- end -}}

{{/* Whether some module pings: "yes" or nothing. */}}
{{- define "remediator.blackbox.pings" -}}
{{- $pings := "" -}}
{{- range (include "remediator.blackbox.modules" . | fromJson) -}}
{{- if eq .prober "icmp" -}}{{- $pings = "yes" -}}{{- end -}}
{{- end -}}
{{- $pings -}}
{{- end -}}

{{/* The exporter that probes ask, as a JSON object: host (with its port), scheme, path. */}}
{{- define "remediator.blackbox.prober" -}}
{{- $blackbox := .Values.blackbox -}}
{{- if and $blackbox.enabled $blackbox.url -}}
{{- fail "blackbox.enabled runs an exporter of this release, and blackbox.url names another one: which of the two shall the probes ask? Leave one out" -}}
{{- end -}}
{{- if $blackbox.enabled -}}
{{- toJson (dict "scheme" "http" "host" (printf "%s.%s.svc:%v" (include "remediator.blackbox.name" .) .Release.Namespace $blackbox.service.port) "path" "/probe") -}}
{{- else if $blackbox.url -}}
{{- $url := urlParse $blackbox.url -}}
{{- $host := $url.host -}}
{{- if not (regexMatch ":[0-9]+$" $host) -}}{{- $host = printf "%s:%s" $host (ternary "443" "80" (eq $url.scheme "https")) -}}{{- end -}}
{{- toJson (dict "scheme" $url.scheme "host" $host "path" (printf "%s/probe" (trimSuffix "/" $url.path))) -}}
{{- else -}}
{{- fail "probes need a blackbox_exporter: add --set blackbox.enabled=true, or --set blackbox.url=http://HOST:9115 for one that is there" -}}
{{- end -}}
{{- end -}}

{{/* Fails where our exporter does not have a module: (dict "root" $ "module" NAME "of" THE VALUE THAT NAMES IT). */}}
{{- define "remediator.blackbox.checkModule" -}}
{{- if .root.Values.blackbox.enabled -}}
{{- $modules := include "remediator.blackbox.modules" .root | fromJson -}}
{{- if not (hasKey $modules .module) -}}
{{- fail (printf "%s is %q, and blackbox.modules has no such module. There are %s" .of .module (keys $modules | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
