{{- /* What the entries of the registration share. */}}
{{- define "dorgu.entry" -}}
{{- $selector := .Values.webhook.namespaceSelector }}
{{- $never := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" (list "kube-system" "kube-node-lease" .Release.Namespace) -}}
admissionReviewVersions: [v1]
sideEffects: None
failurePolicy: {{ .Values.webhook.failurePolicy }}
matchPolicy: Equivalent
timeoutSeconds: {{ .Values.webhook.timeoutSeconds }}
{{ include "dorgu.clientConfig" (list . "/validate-deployment") }}
namespaceSelector:
  {{- with $selector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  matchExpressions:
  {{- toYaml (append ($selector.matchExpressions | default list) $never) | nindent 2 }}
{{- end }}
{{- /* How API servers reach a path of the process: (list . PATH). */}}
{{- define "dorgu.clientConfig" -}}
{{- with index . 0 -}}
clientConfig:
  # Without a caBundle: the process keeps it, as a field manager of its own.
  {{- with .Values.webhook.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
  service:
    name: {{ include "dorgu.named" (list . "webhook") }}
    namespace: {{ .Release.Namespace }}
    path: {{ index $ 1 }}
    port: 443
{{- end }}
{{- end }}
