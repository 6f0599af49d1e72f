{{/*
Names and labels. Names are cut to 53 characters, the longest that Helm gives a release, so that suffixes fit in.
*/}}

{{- define "remediator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimAll "-" -}}
{{- end -}}

{{/*
A Service's name has no dot and, before Kubernetes 1.36, does not begin with a digit; a release's may have and do so.
*/}}
{{- define "remediator.fullname" -}}
{{- $name := include "remediator.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name -}}{{- $full = .Release.Name -}}{{- end -}}
{{- if regexMatch "^[0-9]" $full -}}{{- $full = printf "%s-%s" $name .Release.Name -}}{{- end -}}
{{- default $full .Values.fullnameOverride | replace "." "-" | trunc 53 | trimAll "-" -}}
{{- end -}}

{{/* What is in no namespace carries that of the release in its name, so that a release in another one does not meet it. */}}
{{- define "remediator.clusterName" -}}
{{- printf "%s.%s" (include "remediator.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "remediator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "remediator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.create is false, so serviceAccount.name has to name an account that exists" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "remediator.policyConfigMap" -}}
{{- default (printf "%s-policy" (include "remediator.fullname" .)) .Values.existingPolicyConfigMap -}}
{{- end -}}

{{- define "remediator.image" -}}
{{- $image := .Values.image -}}
{{- $repository := list $image.registry $image.repository | compact | join "/" -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "remediator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "remediator.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end -}}

{{/*
What selects the pods and Services of an exporter, or another thing beside the daemon. `app.kubernetes.io/name` is its own, so that the
daemon's selectors, which look at that and at the release, never meet it. The recommended `component` and `part-of` are the user's to set.
Call with (dict "root" $ "app" NAME), and "server" where there is one for each.
*/}}
{{- define "remediator.exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ .app }}
app.kubernetes.io/instance: {{ .root.Release.Name | toYaml }}
# A chart that is there twice in one release, under two aliases, has two of each.
remediator.dev/part-of: {{ include "remediator.fullname" .root | toYaml }}
{{- with .server }}
remediator.dev/server: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* What an object is, unless the user's labels say it: (dict "app" NAME), and "component" where it is no exporter. The daemon's have none. */}}
{{- define "remediator.component" -}}
{{- if .app -}}app.kubernetes.io/component: {{ default "exporter" .component }}{{- end -}}
{{- end -}}

{{/*
The metadata of an object. Call with (dict "root" $ "name" NAME), "namespace" where it is not the release's ("" is none), and "app" and
"server" where it is an exporter's.
*/}}
{{- define "remediator.metadata" -}}
{{- $root := .root -}}
name: {{ .name | toYaml }}
{{- $namespace := ternary .namespace $root.Release.Namespace (hasKey . "namespace") }}
{{- with $namespace }}
namespace: {{ . | toYaml }}
{{- end }}
labels:
  {{- if .app }}
  {{- include "remediator.exporter.selectorLabels" . | nindent 2 }}
  {{- else }}
  {{- include "remediator.selectorLabels" $root | nindent 2 }}
  {{- end }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
  {{- with merge (dict) (default (dict) .labels) (default (dict) $root.Values.commonLabels) (include "remediator.component" . | fromYaml) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) (default (dict) $root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A map without the keys that were set to null, which is how a value of ours is taken away. */}}
{{- define "remediator.withoutNulls" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $kept $key $value -}}{{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}
