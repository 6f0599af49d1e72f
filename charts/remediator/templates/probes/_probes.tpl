{{/* The metadata of a group of probes: (dict "root" $ "group" NAME). */}}
{{- define "remediator.probes.metadata" -}}
{{- $own := .root.Values.probes -}}
{{- $labels := merge (dict "app.kubernetes.io/component" "probes") (default (dict) $own.labels) (default (dict) .root.Values.serviceMonitor.labels) -}}
{{- $namespace := coalesce $own.namespace .root.Values.serviceMonitor.namespace .root.Release.Namespace -}}
{{- include "remediator.metadata" (dict "root" .root "name" (include "remediator.exporter.name" (dict "root" .root "suffix" (printf "probe-%s" .group))) "namespace" $namespace "labels" $labels) -}}
{{- end -}}

{{/* What the Probes have in common: (dict "root" $ "group" NAME "own" VALUES "of" THE PATH OF THESE VALUES). */}}
{{- define "remediator.probes.spec" -}}
{{- include "remediator.blackbox.checkModule" (dict "root" .root "module" .own.module "of" (printf "%s.module" .of)) -}}
{{- $prober := include "remediator.blackbox.prober" .root | fromJson -}}
{{- $interval := default .root.Values.probes.interval .own.interval -}}
{{- $timeout := default .root.Values.probes.scrapeTimeout .own.scrapeTimeout -}}
{{- include "remediator.checkTimeout" (dict "of" .of "interval" $interval "scrapeTimeout" $timeout) -}}
jobName: probe-{{ .group }}
module: {{ .own.module | toYaml }}
prober:
  url: {{ $prober.host | quote }}
  scheme: {{ $prober.scheme }}
  path: {{ $prober.path }}
interval: {{ $interval }}
scrapeTimeout: {{ $timeout }}
{{- end -}}

{{/* Fixed targets of one module, as a whole Probe: (dict "root" $ "group" NAME "own" VALUES "of" PATH). */}}
{{- define "remediator.probes.static" -}}
apiVersion: monitoring.coreos.com/v1
kind: Probe
metadata:
  {{- include "remediator.probes.metadata" . | nindent 2 }}
spec:
  {{- include "remediator.probes.spec" . | nindent 2 }}
  targets:
    staticConfig:
      static:
        {{- toYaml .own.targets | nindent 8 }}
      labels:
        {{- merge (dict) (default (dict) .own.labels) (dict "namespace" .root.Release.Namespace) | toYaml | nindent 8 }}
      relabelingConfigs:
        - {sourceLabels: [__param_module], targetLabel: module}
{{- end -}}

{{/* Whether anything is probed: "yes" or nothing. */}}
{{- define "remediator.probes.any" -}}
{{- $probes := .Values.probes -}}
{{- $static := values (default (dict) $probes.static) | compact -}}
{{- if or $static $probes.dns.enabled $probes.ingresses.enabled $probes.services.enabled -}}yes{{- end -}}
{{- end -}}

{{/* The targets that are names of Services and are pinged, as a JSON list. Those of another exporter's modules are not known. */}}
{{- define "remediator.probes.pingedServices" -}}
{{- $found := list -}}
{{- if .Values.blackbox.enabled -}}
{{- $modules := include "remediator.blackbox.modules" . | fromJson -}}
{{- range .Values.probes.static -}}
{{- if and . (eq (dig .module "prober" "" $modules) "icmp") -}}
{{- range .targets -}}
{{- if regexMatch "[.]svc([.]|$)" . -}}{{- $found = append $found . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
