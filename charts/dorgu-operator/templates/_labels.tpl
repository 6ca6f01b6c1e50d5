{{- /* Name and instance only: a Deployment's selector can never change, and the Go operator's is this one. */}}
{{- define "dorgu.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dorgu.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dorgu.usualLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: admission-webhook
app.kubernetes.io/part-of: dorgu
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Ours, and over the usual ones, but not over the selector's, the user's: (list . labels). */}}
{{- define "dorgu.labelsWith" -}}
{{- $root := index . 0 }}
{{- $labels := include "dorgu.usualLabels" $root | fromYaml }}
{{- $labels = mergeOverwrite $labels (deepCopy $root.Values.commonLabels) (deepCopy (index . 1)) }}
{{- mergeOverwrite $labels (include "dorgu.selectorLabels" $root | fromYaml) | toYaml }}
{{- end }}

{{- define "dorgu.labels" -}}
{{- include "dorgu.labelsWith" (list . dict) }}
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
{{- $root := index . 0 }}
{{- $values := index . 2 -}}
name: {{ index . 1 }}
namespace: {{ default $root.Release.Namespace $values.namespace }}
labels:
  {{- include "dorgu.labelsWith" (list $root $values.labels) | nindent 2 }}
{{- with $values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
