{{/*
The rights, feature by feature, to the verb.
*/}}

{{- define "remediator.rules.read" -}}
# The live pod before an act, the workload's pods, and the watch for the replacement.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Whose pod it is, how many are wanted, and whether a rollout is going on.
- apiGroups: [apps]
  resources: [replicasets, deployments, statefulsets, daemonsets]
  verbs: [get]
# Why a disruption budget would refuse, before the eviction is sent.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list]
{{- if include "remediator.actions" . | fromJsonArray }}
# Kubernetes' own reason where a replacement fails. Where nothing is taken nothing is replaced.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [list]
{{- end }}
{{- range .Values.rbac.workloads }}
# How many pods a workload of this kind wants.
- apiGroups: [{{ .apiGroup | toJson }}]
  resources: [{{ .resource | toJson }}, {{ printf "%s/scale" .resource | toJson }}]
  verbs: [get]
{{- end }}
{{- end -}}

{{- define "remediator.rules.nodes" -}}
# Whether a pod that is deleted there would ever end, and whether a DaemonSet may still have one there.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end -}}

{{- define "remediator.rules.evict" -}}
# The act. Not `delete` on pods: that would go past the disruption budgets.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end -}}

{{- define "remediator.rules.surge" -}}
# Taking a pod out of its ReplicaSet, and putting it back. The admission policy says what may be changed by it.
- apiGroups: [""]
  resources: [pods]
  verbs: [patch]
# Who would adopt the pod meanwhile.
- apiGroups: [apps]
  resources: [replicasets, statefulsets, daemonsets]
  verbs: [list]
- apiGroups: [""]
  resources: [replicationcontrollers]
  verbs: [list]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list]
# Who selects on the label that changes.
- apiGroups: [""]
  resources: [services]
  verbs: [list]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list]
# Whether there is room for one pod more, and whether two of them can mount its claims.
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [list]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
{{- end -}}

{{- define "remediator.rules.delete" -}}
# `action: delete` goes past the disruption budgets.
- apiGroups: [""]
  resources: [pods]
  verbs: [delete]
{{- end -}}

{{- define "remediator.rules.exec" -}}
# `exec` hooks: any command in any container of the namespace.
- apiGroups: [""]
  resources: [pods/exec]
  verbs: [create, get]
{{- end -}}

{{- define "remediator.rules.own" -}}
# The Lease of the leader. RBAC can't limit `create` to a name.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "remediator.fullname" . | toYaml }}]
  verbs: [get, update]
# The journal, and, by `create` alone, the copy of a journal that could not be read.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "remediator.fullname" . }}-journal]
  verbs: [get, update]
{{- end -}}
