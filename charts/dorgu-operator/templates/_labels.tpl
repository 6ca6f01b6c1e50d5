{{- /* Name and instance only: a Deployment's selector can never change, and the Go operator's is this one. */}}
{{- define "dorgu.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dorgu.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dorgu.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dorgu.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: admission-webhook
app.kubernetes.io/part-of: dorgu
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Name and labels of an object without a namespace: (list . "name"). */}}
{{- define "dorgu.clusterWide" -}}
name: {{ index . 1 }}
labels:
  {{- include "dorgu.labels" (index . 0) | nindent 2 }}
{{- end }}

{{- /* Of one in the release's namespace: (list . "name"). */}}
{{- define "dorgu.namespaced" -}}
{{ include "dorgu.clusterWide" . }}
namespace: {{ (index . 0).Release.Namespace }}
{{- end }}

{{- /* Of one that something else looks for, with values that say where and how: (list . "name" values). */}}
{{- define "dorgu.lookedFor" -}}
{{- $values := index . 2 }}
name: {{ index . 1 }}
namespace: {{ default (index . 0).Release.Namespace $values.namespace }}
labels:
  {{- include "dorgu.labels" (index . 0) | nindent 2 }}
  {{- with $values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
