{{/*
What the exporters have in common. They share the daemon's security contexts and pull secrets; everything else is theirs.
*/}}

{{/* The name of an exporter's objects: (dict "root" $ "suffix" SUFFIX). A long one ends in a hash, so that two stay two. */}}
{{- define "remediator.exporter.name" -}}
{{- $name := printf "%s-%s" (include "remediator.fullname" .root) .suffix -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" (trunc 54 $name | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "remediator.exporter.image" -}}
{{- $repository := list .registry .repository | compact | join "/" -}}
{{- if .digest -}}
{{- printf "%s@%s" $repository .digest -}}
{{- else -}}
{{- printf "%s:%s" $repository .tag -}}
{{- end -}}
{{- end -}}

{{/* The metadata of an exporter's pod: (dict "root" $ "app" NAME "values" VALUES), "component", and "server". */}}
{{- define "remediator.exporter.podMetadata" -}}
labels:
  {{- include "remediator.exporter.selectorLabels" . | nindent 2 }}
  {{- with merge (dict) (default (dict) .values.podLabels) (default (dict) .root.Values.commonLabels) (include "remediator.component" . | fromYaml) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .values.podAnnotations) (default (dict) .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
What a pod says beside its containers and volumes: (dict "root" $ "values" VALUES), "sysctls", and "serviceAccount" where it asks something
of the API server.
*/}}
{{- define "remediator.exporter.pod" -}}
{{- with .serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: {{ not (empty .serviceAccount) }}
# It needs no variable for each Service of the namespace.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | toYaml }}
{{- end }}
securityContext:
  {{- include "remediator.withoutNulls" (merge (dict) (ternary (dict "sysctls" .sysctls) (dict) (not (empty .sysctls))) (default (dict) .root.Values.podSecurityContext)) | nindent 2 }}
{{- with .values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Seconds of a duration such as 1m30s. */}}
{{- define "remediator.seconds" -}}
{{- $duration := . -}}{{- $seconds := 0 -}}
{{- range $unit, $length := dict "d" 86400 "h" 3600 "m" 60 "s" 1 -}}
{{- $seconds = add $seconds (mul $length (regexFind (printf "[0-9]+%s" $unit) $duration | trimSuffix $unit | atoi)) -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}

{{/*
Fails where a scrape may take longer than until the next one: the Prometheus operator drops the whole object then, and says so in its log
alone. Call with (dict "of" WHOSE VALUES "interval" DURATION "scrapeTimeout" DURATION).
*/}}
{{- define "remediator.checkTimeout" -}}
{{- if and .scrapeTimeout (gt (include "remediator.seconds" .scrapeTimeout | atoi) (include "remediator.seconds" .interval | atoi)) -}}
{{- fail (printf "%s: scrapeTimeout is %s and interval %s, and the Prometheus operator takes nothing that may last longer than until the next time: set scrapeTimeout to %s, or less" .of .scrapeTimeout .interval .interval) -}}
{{- end -}}
{{- end -}}

{{/* A ServiceMonitor for an exporter, but for its kind: (dict "root" $ "app" NAME "name" NAME), "server", and more "relabelings". */}}
{{- define "remediator.exporter.serviceMonitor" -}}
{{- $monitor := .root.Values.serviceMonitor -}}
metadata:
  {{- include "remediator.metadata" (merge (dict "namespace" (default .root.Release.Namespace $monitor.namespace) "labels" $monitor.labels) .) | nindent 2 }}
spec:
  jobLabel: app.kubernetes.io/name
  namespaceSelector:
    matchNames: [{{ .root.Release.Namespace | toYaml }}]
  selector:
    matchLabels:
      {{- include "remediator.exporter.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: metrics
      path: /metrics
      interval: {{ $monitor.interval }}
      {{- with $monitor.scrapeTimeout }}
      scrapeTimeout: {{ . }}
      {{- end }}
      {{- with .relabelings }}
      relabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
