{{- /* What the entries of the registration share. */}}
{{- define "dorgu.entry" -}}
{{- $selector := .Values.webhook.namespaceSelector }}
{{- $never := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" (list "kube-system" "kube-node-lease" .Release.Namespace) -}}
admissionReviewVersions: [v1]
sideEffects: None
failurePolicy: {{ .Values.webhook.failurePolicy }}
matchPolicy: Equivalent
timeoutSeconds: {{ .Values.webhook.timeoutSeconds }}
clientConfig:
  # Without a caBundle: the process keeps it, as a field manager of its own.
  {{- with .Values.webhook.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
  service:
    name: {{ include "dorgu.named" (list . "webhook") }}
    namespace: {{ .Release.Namespace }}
    path: /validate-deployment
    port: 443
namespaceSelector:
  {{- with $selector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  matchExpressions:
  {{- toYaml (append ($selector.matchExpressions | default list) $never) | nindent 2 }}
{{- end }}
