{{- /*
What the schema cannot express: values that are valid one by one and conflict. All conflicts are reported at once, a line each.
*/}}
{{- define "dorgu.refuse" -}}
{{- $wrong := list }}
{{- $secret := .Values.webhook.existingSecret }}
{{- $several := or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled }}
{{- if and $several (not .Values.leaderElection.enabled) }}
{{- $wrong = append $wrong "replicaCount: several pods would write against each other; set leaderElection.enabled, or ask for one" }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if .enabled }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
{{- $wrong = append $wrong (printf "autoscaling.minReplicas: %d is more than maxReplicas, %d" (int .minReplicas) (int .maxReplicas)) }}
{{- end }}
{{- if not (or .targetCPUUtilizationPercentage .targetMemoryUtilizationPercentage) }}
{{- $wrong = append $wrong "autoscaling: nothing to go by; set targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage" }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.podDisruptionBudget }}
{{- $stay := ne (toString .minAvailable) "" }}
{{- $go := ne (toString .maxUnavailable) "" }}
{{- if and .enabled $stay $go }}
{{- $wrong = append $wrong "podDisruptionBudget: minAvailable and maxUnavailable exclude each other; set one of them to \"\"" }}
{{- end }}
{{- if and .enabled (not $stay) (not $go) }}
{{- $wrong = append $wrong "podDisruptionBudget: set minAvailable or maxUnavailable, or enabled to false" }}
{{- end }}
{{- $count := ternary "autoscaling.minReplicas" "replicaCount" $.Values.autoscaling.enabled }}
{{- $pods := ternary $.Values.autoscaling.minReplicas $.Values.replicaCount $.Values.autoscaling.enabled | int }}
{{- $number := regexMatch "^[0-9]+$" (toString .minAvailable) }}
{{- if and .enabled $number (gt $pods 1) (ge (int .minAvailable) $pods) }}
{{- $wrong = append $wrong (printf "podDisruptionBudget.minAvailable: %d of %d pods must stay, so no node with one could be drained; ask for fewer, or raise %s" (int .minAvailable) $pods $count) }}
{{- end }}
{{- end }}
{{- if and $secret .Values.webhook.certManager.enabled }}
{{- $wrong = append $wrong "webhook.existingSecret: cert-manager is to make the certificate (webhook.certManager.enabled); choose one of the two" }}
{{- end }}
{{- if eq $secret (include "dorgu.named" (list . "webhook-ca")) }}
{{- $wrong = append $wrong (printf "webhook.existingSecret: %s is the process' own; leave this empty to have it made" $secret) }}
{{- end }}
{{- if and .Values.webhook.caBundle (include "dorgu.makesCertificate" .) }}
{{- $wrong = append $wrong "webhook.caBundle: the process keeps it itself; set it only beside webhook.existingSecret or webhook.certManager" }}
{{- end }}
{{- if and .Values.webhook.requireLabel (eq .Values.webhook.match "chain") }}
{{- $wrong = append $wrong "webhook.requireLabel: with webhook.match chain personas also govern Deployments without the label; set match to label, or this to false" }}
{{- end }}
{{- with include "dorgu.seconds" .Values.webhook.shutdownDelay }}
{{- $grace := int $.Values.terminationGracePeriodSeconds }}
{{- if and $.Values.webhook.enabled (ge (int .) $grace) }}
{{- $wrong = append $wrong (printf "webhook.shutdownDelay: %s does not end before a pod is killed, after %ds; shorten it, or raise terminationGracePeriodSeconds" $.Values.webhook.shutdownDelay $grace) }}
{{- end }}
{{- end }}
{{- with include "dorgu.seconds" .Values.validation.requeueInterval }}
{{- if lt (int .) 1 }}
{{- $wrong = append $wrong (printf "validation.requeueInterval: %s is too short; the least is 1s" $.Values.validation.requeueInterval) }}
{{- end }}
{{- end }}
{{- with .Values.webhook.clientVerification }}
{{- if and .enabled (not .configMap) }}
{{- $wrong = append $wrong "webhook.clientVerification.configMap: name the ConfigMap with the authority that signs API servers' client certificates" }}
{{- end }}
{{- end }}
{{- if and .Values.prometheus.enabled (not .Values.prometheus.url) }}
{{- $wrong = append $wrong "prometheus.url: say where it is, such as http://prometheus.monitoring:9090" }}
{{- end }}
{{- with .Values.metrics }}
{{- if and (not .enabled) (or .serviceMonitor.enabled .podMonitor.enabled) }}
{{- $wrong = append $wrong "metrics.enabled: a monitor would find nothing to scrape" }}
{{- end }}
{{- if and .serviceMonitor.enabled .podMonitor.enabled }}
{{- $wrong = append $wrong "metrics.podMonitor: with metrics.serviceMonitor every pod would be scraped twice; enable one of them" }}
{{- end }}
{{- end }}
{{- if regexMatch "^(127\\.|(?i:localhost):|\\[[0:]*:0*1\\]:)" .Values.healthProbe.bindAddress }}
{{- $wrong = append $wrong (printf "healthProbe.bindAddress: a kubelet cannot reach %s; leave the host out, as in :%s" .Values.healthProbe.bindAddress (include "dorgu.port" .Values.healthProbe.bindAddress)) }}
{{- end }}
{{- $ports := dict (include "dorgu.port" .Values.healthProbe.bindAddress) (list "healthProbe.bindAddress") }}
{{- $asked := list }}
{{- if .Values.metrics.enabled }}
{{- $asked = append $asked (list "metrics.bindAddress" (include "dorgu.port" .Values.metrics.bindAddress)) }}
{{- end }}
{{- if .Values.webhook.enabled }}
{{- $asked = append $asked (list "webhook.port" (toString .Values.webhook.port)) }}
{{- end }}
{{- if .Values.websocket.enabled }}
{{- $asked = append $asked (list "websocket.port" (toString .Values.websocket.port)) }}
{{- end }}
{{- range $asked }}
{{- $_ := set $ports (index . 1) (append (get $ports (index . 1) | default list) (index . 0)) }}
{{- end }}
{{- range $port, $values := $ports }}
{{- if gt (len $values) 1 }}
{{- $wrong = append $wrong (printf "%s: port %s is asked for more than once" (join ", " $values) $port) }}
{{- end }}
{{- if or (lt (int $port) 1) (gt (int $port) 65535) }}
{{- $wrong = append $wrong (printf "%s: there is no port %s" (join ", " $values) $port) }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n\nInvalid values:\n- %s\n" (join "\n- " $wrong)) }}
{{- end }}
{{- end }}
