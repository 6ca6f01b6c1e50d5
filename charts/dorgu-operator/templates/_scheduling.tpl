{{- /* The affinity, with the pods' own selector in every anti-affinity term that has none. */}}
{{- define "dorgu.affinity" -}}
{{- $affinity := deepCopy .Values.affinity }}
{{- $own := dict "matchLabels" (include "dorgu.selectorLabels" . | fromYaml) }}
{{- $apart := $affinity.podAntiAffinity | default dict }}
{{- $terms := $apart.requiredDuringSchedulingIgnoredDuringExecution | default list }}
{{- range $apart.preferredDuringSchedulingIgnoredDuringExecution }}
{{- $terms = append $terms .podAffinityTerm }}
{{- end }}
{{- range $terms }}
{{- if not .labelSelector }}
{{- $_ := set . "labelSelector" $own }}
{{- end }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}
