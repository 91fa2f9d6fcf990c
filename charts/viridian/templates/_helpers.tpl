{{/* Name of everything that the release owns: `viridian` once, whatever the release is called. */}}
{{- define "viridian.name" -}}
{{- if contains "viridian" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-viridian" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What tells the operator's pods apart; it can never change. */}}
{{- define "viridian.selector" -}}
app.kubernetes.io/name: viridian
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "viridian.labels" -}}
{{ include "viridian.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The page's pods are no operators: neither their Service nor their budget may select these. */}}
{{- define "viridian.pageSelector" -}}
app.kubernetes.io/name: viridian-page
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "viridian.pageLabels" -}}
{{ include "viridian.pageSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* All that the page may do. */}}
{{- define "viridian.pageRules" -}}
- apiGroups: [viridian.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
{{- end -}}

{{/* The operator's image by digest, or else by tag. */}}
{{- define "viridian.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the operator reads of notifications, as JSON; addresses in Secrets come by variables. */}}
{{- define "viridian.notifications" -}}
{{- $receivers := list -}}
{{- range $number, $receiver := .Values.notifications.receivers -}}
{{- $events := $receiver.events | default list -}}
{{- if $receiver.secretRef -}}
{{- $receivers = append $receivers (dict "variable" (printf "VIRIDIAN_NOTIFY_URL_%d" $number) "events" $events) -}}
{{- else -}}
{{- $receivers = append $receivers (dict "url" $receiver.url "events" $events) -}}
{{- end -}}
{{- end -}}
{{- dict "receivers" $receivers "allowedHosts" .Values.notifications.allowedHosts | toJson -}}
{{- end -}}

{{/* The one right on Gateways: is the one that a model names there, and does it let the model's namespace in? */}}
{{- define "viridian.gatewayRules" -}}
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [get]
{{- end -}}

{{/* The Lease by which one of several operators leads. What does not exist yet cannot be named in a right to create it. */}}
{{- define "viridian.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "viridian.name" . }}]
  verbs: [get, update]
# Which notifications were delivered, so that the next leader does not send them again.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "viridian.name" . }}-notifications]
  verbs: [get, update]
{{- end -}}

{{/* What the operator does, and nothing else. Lists are for the sweep; patches make orphans children again. */}}
{{- define "viridian.rules" -}}
- apiGroups: [viridian.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [viridian.dev]
  resources: [modeldeployments/status]
  verbs: [update]
# Children block the deletion of their owner; where that is enforced it needs this right on the owner.
- apiGroups: [viridian.dev]
  resources: [modeldeployments/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, update, patch]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, update, patch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, create, update, patch, delete]
{{- if .Values.notifications.readSecrets }}
# Addresses of receivers in spec.notify, in Secrets with a label.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{- if .Values.drills.enabled }}
# Drills: a twin is a ModelDeployment of the operator's own, made where quotas have room for it.
- apiGroups: [viridian.dev]
  resources: [modeldeployments]
  verbs: [create, update, delete]
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [list]
{{- end }}
# Checks of a candidate before traffic.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, create, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, create, update, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, update, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
{{ include "viridian.gatewayRules" . }}
{{- end -}}

{{/*
Whose counters they are comes from the pod's metadata, never from what the pod says: its own labels of these names are set
aside. The names of the keys differ between Prometheus and a PodMonitor.
*/}}
{{- define "viridian.identity" -}}
{{- $source := "__meta_kubernetes_%s" -}}
{{- range $target, $of := dict "model_namespace" "namespace" "model" "pod_label_viridian_dev_model" "revision" "pod_label_viridian_dev_revision" "pod_uid" "pod_uid" }}
- {{ $.source }}: [{{ printf $source $of }}]
  {{ $.target }}: {{ $target }}
{{- end }}
{{- end -}}

{{/* Feedback is about the revision that predicted, which need not be that of the pod that was told: it alone says so itself. */}}
{{- define "viridian.setAside" -}}
- {{ .source }}: [__name__, exported_revision]
  regex: viridian_feedback_[a-z_]+;(.+)
  {{ .target }}: revision
- action: labeldrop
  regex: exported_(model_namespace|model|revision|pod_uid)
{{- end -}}

{{/* Where a policy holds: in the namespaces that are watched, but for those that are exempt. */}}
{{- define "viridian.policyBinding" }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .policy }}
  labels: {{- include "viridian.labels" .root | nindent 4 }}
spec:
  policyName: {{ .policy }}
  validationActions: [Deny]
  {{- $namespace := list }}
  {{- with .root.Values.watch.namespaces }}
  {{- $namespace = append $namespace (dict "key" "kubernetes.io/metadata.name" "operator" "In" "values" .) }}
  {{- end }}
  {{- with .root.Values.policies.exemptNamespaces }}
  {{- $namespace = append $namespace (dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" .) }}
  {{- end }}
  {{- with $namespace }}
  matchResources:
    namespaceSelector:
      matchExpressions: {{- toYaml . | nindent 8 }}
  {{- end }}
{{- end }}
