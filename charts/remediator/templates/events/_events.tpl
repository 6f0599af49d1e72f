{{/* kube-eventer: Kubernetes' events, each as a message to a chat robot. */}}

{{- define "remediator.events.name" -}}
{{- include "remediator.exporter.name" (dict "root" . "suffix" "events") -}}
{{- end -}}

{{- define "remediator.events.clusterName" -}}
{{- printf "%s.%s" (include "remediator.events.name" .) .Release.Namespace -}}
{{- end -}}

{{/* The message as kube-eventer's template: files/events/ROBOT.json with words for <…>, or the values' own. */}}
{{- define "remediator.events.body" -}}
{{- $words := dict "en" (dict "event" "Kubernetes event" "last" "last" "count" "count" "from" "from") -}}
{{- $_ := set $words "zh" (dict "event" "Kubernetes 事件" "last" "最近" "count" "次数" "from" "来源") -}}
{{- $body := default (.Files.Get (printf "files/events/%s.json" .Values.events.robot)) .Values.events.template -}}
{{- range $word, $said := get $words .Values.events.language -}}
{{- $body = $body | replace (printf "<%s>" $word) $said -}}
{{- end -}}
{{- $body -}}
{{- end -}}

{{/*
The flag --sink. kube-eventer puts variables of its environment in itself, and logs its arguments as they are: the robot's address is
in neither. What filters and shapes is a query behind that address, which for two robots has one already.
*/}}
{{- define "remediator.events.sink" -}}
{{- $name := include "remediator.events.name" . -}}
{{- $options := list "method=POST" (printf "header=%s" (urlquery "Content-Type=application/json")) -}}
{{- $options = append $options (printf "custom_body_configmap=%s" $name) -}}
{{- $options = append $options (printf "custom_body_configmap_namespace=%s" .Release.Namespace) -}}
{{- with .Values.events -}}
{{- $options = append $options (printf "level=%s" .level) -}}
{{- with .namespaces }}{{ $options = append $options (printf "namespaces=%s" (join "," . | urlquery)) }}{{ end -}}
{{- with .kinds }}{{ $options = append $options (printf "kinds=%s" (join "," . | urlquery)) }}{{ end -}}
{{- range .reasons }}{{ $options = append $options (printf "reason=%s" (urlquery .)) }}{{ end -}}
{{- $joint := ternary "&" "?" (has .robot (list "dingtalk" "wecom")) -}}
{{- printf "--sink=webhook:${ROBOT_URL}%s%s" $joint (join "&" $options) -}}
{{- end -}}
{{- end -}}
