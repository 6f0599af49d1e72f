{{/* What the chart's NetworkPolicies have in common. */}}

{{/* The rule by which a pod reaches whoever tells it addresses of names: each of the chart's policies has it. */}}
{{- define "remediator.network.names" -}}
# Names.
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}
