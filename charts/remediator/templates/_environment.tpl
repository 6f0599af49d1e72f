{{/*
The daemon's settings as environment variables. The kubelet reads `$(NAME)` in them and makes `$` of `$$`, so every
dollar is written twice and arrives once.
*/}}

{{- define "remediator.variable" -}}
- name: REMEDIATOR_{{ index . 0 }}
  value: {{ index . 1 | toString | replace "$" "$$" | toJson }}
{{- end -}}

{{- define "remediator.environment" -}}
{{- $prometheus := .Values.prometheus -}}
{{- $folder := include "remediator.credentials" . -}}
{{- if not $prometheus.url }}
{{- fail "prometheus.url is not set: where does Prometheus answer? Add --set prometheus.url=http://prometheus-operated.monitoring.svc:9090" }}
{{- end }}
{{ include "remediator.variable" (list "NAME" (include "remediator.fullname" .)) }}
{{ include "remediator.variable" (list "PROMETHEUS_URL" $prometheus.url) }}
{{ include "remediator.variable" (list "PROMETHEUS_TIMEOUT" $prometheus.timeout) }}
{{ include "remediator.variable" (list "SCRAPE_INTERVAL" $prometheus.scrapeInterval) }}
{{ include "remediator.variable" (list "KUBELET_INTERVAL" $prometheus.kubeletInterval) }}
{{- with $prometheus.selector }}
{{ include "remediator.variable" (list "SELECTOR" .) }}
{{- end }}
{{- with $prometheus.matchers }}
{{ include "remediator.variable" (list "MATCHERS" .) }}
{{- end }}
{{- with $prometheus.limitsLabels }}
{{ include "remediator.variable" (list "LIMITS_LABELS" (toJson .)) }}
{{- end }}
{{- with $prometheus.params }}
{{ include "remediator.variable" (list "PROMETHEUS_PARAMS" (toJson .)) }}
{{- end }}
{{- with $prometheus.headers }}
{{- if .secret }}
- name: REMEDIATOR_PROMETHEUS_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .secret | toYaml }}
      key: {{ .key | toYaml }}
{{- end }}
{{- end }}
{{- with $prometheus.tls }}
{{- if or .ca.secret .ca.configMap }}
{{ include "remediator.variable" (list "PROMETHEUS_CA_FILE" (printf "%s/ca.crt" $folder)) }}
{{- end }}
{{- if .client.secret }}
{{ include "remediator.variable" (list "PROMETHEUS_CERT_FILE" (printf "%s/tls.crt" $folder)) }}
{{ include "remediator.variable" (list "PROMETHEUS_KEY_FILE" (printf "%s/tls.key" $folder)) }}
{{- end }}
{{- end }}
{{- with $prometheus.auth }}
{{- if or .token.secret .serviceAccountToken.enabled }}
{{ include "remediator.variable" (list "PROMETHEUS_TOKEN_FILE" (printf "%s/token" $folder)) }}
{{- end }}
{{- if .basic.secret }}
- name: REMEDIATOR_PROMETHEUS_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ .basic.secret | toYaml }}
      key: {{ .basic.usernameKey | toYaml }}
{{ include "remediator.variable" (list "PROMETHEUS_PASSWORD_FILE" (printf "%s/password" $folder)) }}
{{- end }}
{{- end }}
{{- if not .Values.rbac.nodes }}
{{ include "remediator.variable" (list "NODES" "false") }}
{{- end }}
{{ include "remediator.variable" (list "LEASE_DURATION" .Values.leaderElection.leaseDuration) }}
{{ include "remediator.variable" (list "HTTP_ADDRESS" (printf "%s:%v" .Values.http.host .Values.http.port)) }}
{{ include "remediator.variable" (list "LOG_FORMAT" .Values.log.format) }}
{{ include "remediator.variable" (list "LOG_LEVEL" .Values.log.level) }}
{{- end -}}

{{/*
All of them, those of the user last. A name that is there twice is refused by a server-side apply, as Helm 4 and GitOps tools do
it, and of two the API server may keep either when the one is changed.
*/}}
{{- define "remediator.allVariables" -}}
{{- $ours := include "remediator.environment" . | trim -}}
{{- $names := list -}}
{{- range fromYamlArray $ours -}}{{- $names = append $names .name -}}{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has .name $names -}}
{{- fail (printf "extraEnv: %s is there twice, or is set by the chart: set the value that it comes from (docs/settings.md), and leave it out here" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $ours }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where the files for Prometheus are mounted. */}}
{{- define "remediator.credentials" -}}
/var/run/remediator/prometheus
{{- end -}}

{{/* They come together in one projected volume, so that each is swapped when its Secret is; nothing where there are none. */}}
{{- define "remediator.credentialSources" -}}
{{- $auth := .Values.prometheus.auth -}}
{{- with .Values.prometheus.tls -}}
{{- if and .ca.secret .ca.configMap }}
{{- fail "prometheus.tls.ca: set secret or configMap, not both" }}
{{- end }}
{{- with .ca.secret }}
- secret:
    name: {{ . | toYaml }}
    items: [{key: {{ $.Values.prometheus.tls.ca.key | toJson }}, path: ca.crt}]
{{- end }}
{{- with .ca.configMap }}
- configMap:
    name: {{ . | toYaml }}
    items: [{key: {{ $.Values.prometheus.tls.ca.key | toJson }}, path: ca.crt}]
{{- end }}
{{- with .client.secret }}
- secret:
    name: {{ . | toYaml }}
    items:
      - {key: {{ $.Values.prometheus.tls.client.certKey | toJson }}, path: tls.crt}
      - {key: {{ $.Values.prometheus.tls.client.keyKey | toJson }}, path: tls.key}
{{- end }}
{{- end }}
{{- if gt (len (compact (list $auth.token.secret $auth.basic.secret (ternary "yes" "" $auth.serviceAccountToken.enabled)))) 1 }}
{{- fail "prometheus.auth: a request has place for one kind of credentials; set one of token.secret, basic.secret and serviceAccountToken.enabled" }}
{{- end }}
{{- with $auth.token.secret }}
- secret:
    name: {{ . | toYaml }}
    items: [{key: {{ $auth.token.key | toJson }}, path: token}]
{{- end }}
{{- with $auth.basic.secret }}
- secret:
    name: {{ . | toYaml }}
    items: [{key: {{ $auth.basic.passwordKey | toJson }}, path: password}]
{{- end }}
{{- if $auth.serviceAccountToken.enabled }}
- serviceAccountToken:
    path: token
    expirationSeconds: 3600
    {{- with $auth.serviceAccountToken.audience }}
    audience: {{ . | toJson }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* The port in Prometheus' URL, or that of its scheme. */}}
{{- define "remediator.prometheusPort" -}}
{{- $url := urlParse .Values.prometheus.url -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) (regexFind ":[0-9]+$" $url.host | trimPrefix ":") -}}
{{- end -}}
