{{/*
A feature's rights, bound to the daemon: a ClusterRole, or a Role in each of the namespaces. Call with
(dict "root" $ "name" NAME "rules" YAML "namespaces" LIST); an empty list means the whole cluster. NAME is that of the
namespaced objects; objects without a namespace carry the release's in their names.
*/}}
{{- define "remediator.role" -}}
{{- $root := .root -}}
{{- $feature := .feature -}}
{{- $rules := .rules -}}
{{- $suffix := ternary (printf "-%s" $feature) "" (ne $feature "") -}}
{{- range (default (list "") .namespaces) }}
{{- $kind := ternary "Role" "ClusterRole" (ne . "") }}
{{- $name := ternary (printf "%s%s" (include "remediator.fullname" $root) $suffix) (printf "%s%s" (include "remediator.clusterName" $root) $suffix) (eq . $root.Release.Namespace) }}
{{- $metadata := include "remediator.metadata" (dict "root" $root "name" $name "namespace" .) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- $metadata | nindent 2 }}
rules:
  {{- $rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $name | toYaml }}
subjects:
  - kind: ServiceAccount
    name: {{ include "remediator.serviceAccountName" $root | toYaml }}
    namespace: {{ $root.Release.Namespace | toYaml }}
{{- end }}
{{- end -}}
