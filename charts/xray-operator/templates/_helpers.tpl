{{/* xray-operator for the release of that name and for the umbrella release xray alike. */}}
{{- define "xray-operator.fullname" -}}
{{- if hasPrefix (printf "%s-" .Release.Name) .Chart.Name }}{{ .Chart.Name }}{{ else if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Immutable: selectors are never changed. */}}
{{- define "xray-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "xray-operator.labels" -}}
{{ include "xray-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: xrayiot
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* A digest wins over a tag. Takes one image value. */}}
{{- define "xray-operator.image" -}}
{{- $name := ternary .repository (printf "%s/%s" .registry .repository) (empty .registry) -}}
{{- if .digest }}{{ $name }}@{{ .digest }}{{ else }}{{ $name }}:{{ .tag }}{{ end }}
{{- end }}

{{/* What the operator does in a namespace of pipelines, each of it seen in an audit log. Children that are always wanted it never deletes: they go with their owner. Before a child is made, what has its name is read, for it may be another's. Secrets: it creates and deletes a pipeline's keys and reads a connection by name; it never lists them. Pods: only those of a roll-out that hangs are read, with the end of their logs, and signals pods while some of them go, which are told so by an annotation. */}}
{{- define "xray-operator.rules" -}}
- { apiGroups: [xrayiot.dev], resources: [xraypipelines], verbs: [get, list, watch, patch] }
- { apiGroups: [xrayiot.dev], resources: [xraypipelines/status], verbs: [patch] }
- { apiGroups: [xrayiot.dev], resources: [xraypipelines/finalizers], verbs: [update] }
- { apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, patch] }
- { apiGroups: [""], resources: [serviceaccounts], verbs: [get, list, watch, create, patch] }
- { apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [get, list, watch, create, patch] }
- { apiGroups: [""], resources: [configmaps, services], verbs: [get, list, watch, create, patch, delete] }
- { apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list, watch, create, patch, delete] }
- { apiGroups: [monitoring.coreos.com], resources: [servicemonitors, prometheusrules], verbs: [get, list, watch, create, patch, delete] }
- { apiGroups: [keda.sh], resources: [scaledobjects, triggerauthentications], verbs: [get, list, watch, create, patch, delete] }
- { apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [list, watch] }
- { apiGroups: [""], resources: [secrets], verbs: [get, create, delete] }
- { apiGroups: [""], resources: [pods], verbs: [list, patch] }
- { apiGroups: [""], resources: [pods/log], verbs: [get] }
- { apiGroups: [events.k8s.io], resources: [events], verbs: [get, create, patch] }
{{- end }}
