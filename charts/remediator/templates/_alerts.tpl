{{/*
The alert rules. A group is a file of files/rules: its alerts by name, each with `expr`, `for`, `severity`, and where it has one
`threshold`. Their texts are in files/rules/LANGUAGE/GROUP.yaml.
*/}}

{{/* The groups, as a JSON array. */}}
{{- define "remediator.alerts.groups" -}}
{{- $groups := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yaml" -}}
{{- $groups = append $groups (base $path | trimSuffix ".yaml") -}}
{{- end -}}
{{- toJson $groups -}}
{{- end -}}

{{/* Fails where `rules.alerts` says what would change nothing. */}}
{{- define "remediator.alerts.check" -}}
{{- $defined := dict -}}
{{- range $group := fromJsonArray (include "remediator.alerts.groups" .) -}}
{{- $_ := merge $defined ($.Files.Get (printf "files/rules/%s.yaml" $group) | fromYaml) -}}
{{- end -}}
{{- range $alert, $own := .Values.rules.alerts -}}
{{- if not (hasKey $defined $alert) -}}
{{- fail (printf "\n\nrules.alerts.%s: there is no such alert. There are %s." $alert (keys $defined | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and (hasKey $own "threshold") (not (hasKey (get $defined $alert) "threshold")) -}}
{{- fail (printf "\n\nrules.alerts.%s.threshold: this alert has none. Leave it out; docs/runbooks/%s.md says when it fires." $alert $alert) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
How far a counter of this release's daemon rose within a window, the birth of its series included: (list SERIES WINDOW OWN). A birth is
one where the process was seen before it, in the six hours before the window, or where the process itself is as young; else Prometheus
has no history, and the counter is as old as it may be. Five minutes more than young are for the time until its first scrape.
Processes are known without `namespace`, which with honorLabels is that of a workload.
*/}}
{{- define "remediator.alerts.rise" -}}
{{- $series := index . 0 -}}{{- $window := index . 1 -}}{{- $own := index . 2 -}}
{{- $seconds := mul (regexFind "[0-9]+" $window) (get (dict "m" 60 "h" 3600 "d" 86400) (regexFind "[a-z]+" $window)) -}}
(
  {{ $series }}
  unless last_over_time({{ $series }}[6h] offset {{ $window }})
  and on (job, instance, pod) (
    last_over_time(remediator_leader{ {{- $own -}} }[6h] offset {{ $window }})
    or time() - process_start_time_seconds{ {{- $own -}} } < {{ $seconds }} + 300
  )
)
or (
  increase({{ $series }}[{{ $window }}])
  and on (job, instance, pod) last_over_time(remediator_leader{ {{- $own -}} }[{{ $window }}])
)
{{- end -}}

{{/* The lowest ("min") or highest ("max") value of a series within an alert's `for`, the newest where that is none: (list "min" SERIES FOR). */}}
{{- define "remediator.alerts.throughout" -}}
{{- $which := index . 0 -}}{{- $series := index . 1 -}}{{- $for := index . 2 -}}
{{- if regexMatch "[1-9]" $for -}}{{- printf "%s_over_time(%s[%s])" $which $series $for -}}{{- else -}}{{- $series -}}{{- end -}}
{{- end -}}

{{/*
In how many days the certificate of a probe expires: by the last chain that is good; where none was verified, by the first to expire.
Of a quarter of an hour, as one address may have several servers, of which one has an old one.
*/}}
{{- define "remediator.alerts.certificateDays" -}}
(
  (
    min_over_time(probe_ssl_last_chain_expiry_timestamp_seconds{ {{- .matchers -}} }[15m]) > 0
    or
    min_over_time(probe_ssl_earliest_cert_expiry{ {{- .matchers -}} }[15m])
  ) - time()
) / 86400
{{- end -}}

{{/* What the expressions of a group are given beside thresholds, as a JSON object: see the head of its file. */}}
{{- define "remediator.alerts.scope" -}}
{{- $own := get .root.Values.rules .group -}}
{{- if eq .group "remediator" -}}
{{- $job := printf "job=%q" (default (include "remediator.name" .root) $own.job) -}}
{{- $namespace := printf "namespace=%q" (default .root.Release.Namespace $own.namespace) -}}
{{- toJson (dict "job" $job "own" (printf "%s,%s" $namespace $job)) -}}
{{- else -}}
{{- toJson $own -}}
{{- end -}}
{{- end -}}

{{/*
One group as a rule file of Prometheus. Texts are not templates of Helm's: what Prometheus is to expand arrives byte for byte, and only
<threshold> and <for> are replaced, so that a text says what its expression does.
*/}}
{{- define "remediator.alerts.file" -}}
{{- $rules := .root.Values.rules -}}
{{- $alerts := .root.Files.Get (printf "files/rules/%s.yaml" .group) | fromYaml -}}
{{- $texts := .root.Files.Get (printf "files/rules/%s/%s.yaml" $rules.language .group) | fromYaml -}}
{{- $scope := include "remediator.alerts.scope" . | fromJson -}}
{{- $others := dict -}}
{{- range $alert, $defined := $alerts -}}
{{- $_ := mergeOverwrite $defined (default (dict) (get (default (dict) $rules.alerts) $alert)) -}}
{{- if ne $defined.enabled false -}}{{- $_ := set $others $alert (pick $defined "threshold" "for") -}}{{- end -}}
{{- end -}}
{{- $made := list -}}
{{- range $alert, $defined := $alerts -}}
{{- if ne $defined.enabled false -}}
{{- $annotations := dict "runbook_url" (printf "%s/%s.md" (trimSuffix "/" $rules.runbookUrl) $alert) -}}
{{- range $name, $text := get $texts $alert -}}
{{- $_ := set $annotations $name ($text | replace "<threshold>" (toString $defined.threshold) | replace "<for>" $defined.for) -}}
{{- end -}}
{{- $given := merge (dict "threshold" $defined.threshold "others" $others) $scope -}}
{{- /* The relay's own templates read `level`. */ -}}
{{- $level := ternary (dict "level" $defined.severity) (dict) $.root.Values.relay.enabled -}}
{{- $labels := merge (dict "severity" $defined.severity) $level (default (dict) $rules.alertLabels) -}}
{{- $made = append $made (dict "alert" $alert "expr" (tpl $defined.expr $given) "for" $defined.for "labels" $labels "annotations" $annotations) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "groups" (list (dict "name" .group "rules" $made))) -}}
{{- end -}}
