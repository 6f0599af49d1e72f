{{/* The PrometheusAlert relay: what its objects have in common. */}}

{{- define "remediator.relay.name" -}}
{{- include "remediator.exporter.name" (dict "root" . "suffix" "relay") -}}
{{- end -}}

{{/* What it is called with in helpers: its labels, its pod. */}}
{{- define "remediator.relay.type" -}}
{{- get (dict "feishu" "fs" "dingtalk" "dd" "wecom" "wx") .Values.relay.channel -}}
{{- end -}}

{{/* Where the pods are that alone may reach it, unless peers are named. */}}
{{- define "remediator.relay.alertmanagerNamespace" -}}
{{- default .Release.Namespace .Values.relay.networkPolicy.alertmanagerNamespace -}}
{{- end -}}

{{/* Where Alertmanager sends alerts. The robot's address is in app.conf: there is no secret in this one. */}}
{{- define "remediator.relay.url" -}}
{{- $type := include "remediator.relay.type" . -}}
{{- $template := default (printf "prometheus-%s" $type) .Values.relay.template -}}
{{- printf "http://%s.%s.svc:8080/prometheusalert?type=%s&tpl=%s" (include "remediator.relay.name" .) .Release.Namespace $type (urlquery $template) -}}
{{- end -}}
