{{- /*
The rights in files/rights.yaml that are for a place ("cluster" or "namespace"), as far as their occasion is given. They are
made from the manifests: DORGU_REWRITE=1 cargo test --test it generated
*/}}
{{- define "dorgu.rights" -}}
{{- $root := index . 0 }}
{{- $place := index . 1 }}
{{- $given := dict "always" true }}
{{- $_ := set $given "webhook" $root.Values.webhook.enabled }}
{{- $_ := set $given "secure metrics" (and $root.Values.metrics.enabled $root.Values.metrics.secure) }}
{{- $_ := set $given "leader election" $root.Values.leaderElection.enabled }}
{{- $rules := list }}
{{- range ($root.Files.Get "files/rights.yaml" | fromYamlArray) }}
{{- if and (eq .place $place) (get $given .when) }}
{{- $rule := .rule }}
{{- /* Somebody else's certificate is only read. */}}
{{- if and (has "secrets" $rule.resources) (not (include "dorgu.makesCertificate" $root)) }}
{{- $_ := set $rule "verbs" (without $rule.verbs "create" "delete" "patch" "update") }}
{{- end }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- /* Not among the manifests', which make none. */}}
{{- if and (eq $place "cluster") $root.Values.clusterPersona.autoCreate }}
{{- $rules = append $rules (dict "apiGroups" (list "dorgu.io") "resources" (list "clusterpersonas") "verbs" (list "create")) }}
{{- end }}
{{- if $rules }}
{{- tpl (toYaml $rules) $root }}
{{- end }}
{{- end }}
