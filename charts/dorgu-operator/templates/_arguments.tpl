{{- /* What is not a default of `serve`, and what there is a value for, named either way. */}}
{{- define "dorgu.arguments" -}}
{{- $args := list "serve" }}
{{- $args = append $args (ternary "--leader-elect" "--leader-elect=false" .Values.leaderElection.enabled) }}
{{- $args = append $args (printf "--health-probe-bind-address=%s" .Values.healthProbe.bindAddress) }}
{{- if .Values.webhook.enabled }}
{{- $args = append $args "--enable-webhook" }}
{{- $args = append $args (printf "--webhook-mode=%s" .Values.webhook.mode) }}
{{- $args = append $args (printf "--webhook-config=%s" (include "dorgu.named" (list . "deployment"))) }}
{{- $args = append $args (printf "--webhook-service=%s" (include "dorgu.named" (list . "webhook"))) }}
{{- $args = append $args (printf "--webhook-secret=%s" (include "dorgu.webhookSecret" .)) }}
{{- end }}
{{- with .Values.metrics }}
{{- if .enabled }}
{{- $args = append $args (printf "--metrics-bind-address=%s" .bindAddress) }}
{{- if not .secure }}
{{- $args = append $args "--metrics-secure=false" }}
{{- else if .existingSecret }}
{{- $args = append $args "--metrics-cert-path=/etc/dorgu/metrics" }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.webhook }}
{{- if .enabled }}
{{- if ne (int .port) 9443 }}
{{- $args = append $args (printf "--webhook-bind-address=:%d" (int .port)) }}
{{- end }}
{{- if ne .shutdownDelay "10s" }}
{{- $args = append $args (printf "--shutdown-delay=%s" .shutdownDelay) }}
{{- end }}
{{- if not .personas.enabled }}
{{- $args = append $args "--persona-webhook=false" }}
{{- end }}
{{- if .clientVerification.enabled }}
{{- $args = append $args (printf "--client-ca-file=/etc/dorgu/client-ca/%s" .clientVerification.key) }}
{{- range .clientVerification.allowedNames }}
{{- $args = append $args (printf "--client-allowed-names=%s" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne .rules "complete" }}
{{- $args = append $args (printf "--rules=%s" .rules) }}
{{- end }}
{{- with .defaultPersonasNamespace }}
{{- $args = append $args (printf "--default-personas-namespace=%s" .) }}
{{- end }}
{{- range $rule, $level := .ruleLevels }}
{{- $args = append $args (printf "--rule-level=%s=%s" $rule $level) }}
{{- end }}
{{- range .lockedRules }}
{{- $args = append $args (printf "--rule-locked=%s" .) }}
{{- end }}
{{- with .exceptionHelp }}
{{- $args = append $args (printf "--exception-help=%s" .) }}
{{- end }}
{{- if ne .exceptionMax "90d" }}
{{- $args = append $args (printf "--exception-max=%s" .exceptionMax) }}
{{- end }}
{{- with .docsUrl }}
{{- $args = append $args (printf "--docs-url=%s" .) }}
{{- end }}
{{- if ne .match "label" }}
{{- $args = append $args (printf "--match=%s" .match) }}
{{- end }}
{{- if .requireLabel }}
{{- $args = append $args "--require-label" }}
{{- end }}
{{- end }}
{{- if ne .Values.validation.requeueInterval "60s" }}
{{- $args = append $args (printf "--requeue-interval=%s" .Values.validation.requeueInterval) }}
{{- end }}
{{- if ne .Values.validation.readyAfter "336h" }}
{{- $args = append $args (printf "--ready-after=%s" .Values.validation.readyAfter) }}
{{- end }}
{{- if .Values.clusterPersona.autoCreate }}
{{- $args = append $args "--auto-create-cluster-persona" }}
{{- end }}
{{- if not .Values.argocd.enabled }}
{{- $args = append $args "--enable-argocd=false" }}
{{- end }}
{{- if .Values.prometheus.enabled }}
{{- $args = append $args (printf "--prometheus-url=%s" .Values.prometheus.url) }}
{{- end }}
{{- if .Values.websocket.enabled }}
{{- $args = concat $args (list "--enable-websocket" (printf "--websocket-addr=:%d" (int .Values.websocket.port))) }}
{{- end }}
{{- if ne .Values.logging.format "auto" }}
{{- $args = append $args (printf "--log-format=%s" .Values.logging.format) }}
{{- end }}
{{- if ne .Values.logging.level "info" }}
{{- $args = append $args (printf "--zap-log-level=%s" .Values.logging.level) }}
{{- end }}
{{- concat $args .Values.extraArgs | toYaml }}
{{- end }}
