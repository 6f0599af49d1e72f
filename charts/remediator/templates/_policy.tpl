{{/*
What the policy asks for: the rights follow from it.
*/}}

{{/*
The actions that need rights (evict, surge, delete), as a JSON list. Where workloads may choose in annotations they choose
a gentler one than the policy's: from delete evict, and from both surge. A surge ends with an eviction, and falls back on one.
*/}}
{{- define "remediator.actions" -}}
{{- $found := list -}}
{{- if not (kindIs "invalid" .Values.rbac.actions) -}}
{{- $found = .Values.rbac.actions -}}
{{- else if .Values.existingPolicyConfigMap -}}
{{- fail "existingPolicyConfigMap: its policy can't be read here, so say which rights its actions need: --set 'rbac.actions={evict}' (evict, surge, delete), or --set-json 'rbac.actions=[]' where it only notifies" -}}
{{- else -}}
{{- range (include "remediator.policies" . | fromJsonArray) -}}
{{- $found = append $found (default "evict" .action) -}}
{{- end -}}
{{- if dig "safety" "annotations" false .Values.policy -}}
{{- if has "delete" $found -}}{{- $found = append $found "evict" -}}{{- end -}}
{{- if has "evict" $found -}}{{- $found = append $found "surge" -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if has "surge" $found -}}{{- $found = append $found "evict" -}}{{- end -}}
{{- without (uniq $found) "notify" | sortAlpha | toJson -}}
{{- end -}}

{{/* The policies that are enabled, with their defaults, as a JSON list. */}}
{{- define "remediator.policies" -}}
{{- $found := list -}}
{{- $policy := required "policy is empty: write one (docs/policy.md), or name a ConfigMap of yours by existingPolicyConfigMap" .Values.policy -}}
{{- $defaults := default (dict) $policy.defaults -}}
{{- range $policy.policies -}}
{{- $policy := mergeOverwrite (deepCopy $defaults) . -}}
{{- if dig "enabled" true $policy -}}{{- $found = append $found $policy -}}{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The namespaces that a policy names, as a JSON list; regular expressions among them. Call with the policy. */}}
{{- define "remediator.namespaces" -}}
{{- $named := dig "match" "namespaces" (list) . -}}
{{- ternary (list $named) $named (kindIs "string" $named) | toJson -}}
{{- end -}}

{{/* In Role form each policy names namespaces in which there is a Role. */}}
{{- define "remediator.checkNamespaces" -}}
{{- $given := .Values.rbac.namespaces -}}
{{- if and $given (not .Values.existingPolicyConfigMap) -}}
{{- range $policy := include "remediator.policies" . | fromJsonArray -}}
{{- $named := include "remediator.namespaces" $policy | fromJsonArray -}}
{{- if not $named -}}
{{- fail (printf "rbac.namespaces gives rights in %s alone, and the policy %s is about all namespaces: name them in its match.namespaces, or leave rbac.namespaces empty" (join ", " $given) $policy.name) -}}
{{- end -}}
{{- range $named -}}
{{- if not (has . $given) -}}
{{- fail (printf "the policy %s is about the namespaces %q, which rbac.namespaces does not name: add them there, or leave rbac.namespaces empty, which regular expressions need" $policy.name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The names of enabled policies that run commands in pods of more namespaces than those with a right to it, as a JSON list. */}}
{{- define "remediator.execWithoutRight" -}}
{{- $given := ternary (default (list) .Values.rbac.exec.namespaces) (list) .Values.rbac.exec.enabled -}}
{{- $found := list -}}
{{- if not .Values.existingPolicyConfigMap -}}
{{- range $policy := include "remediator.policies" . | fromJsonArray -}}
{{- $named := include "remediator.namespaces" $policy | fromJsonArray -}}
{{- $covered := not (empty $named) -}}
{{- range $named -}}{{- if not (has . $given) -}}{{- $covered = false -}}{{- end -}}{{- end -}}
{{- range $policy.before -}}
{{- if and .exec (not $covered) -}}{{- $found = append $found $policy.name -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- uniq $found | toJson -}}
{{- end -}}
