{{- /* The chart's name, or what the user calls it. */}}
{{- define "dorgu.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The first part of every name: the release's, followed by the chart's unless it contains it. */}}
{{- define "dorgu.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* A name made of the full one and an ending, cut so that the ending stays: (list . "webhook"). */}}
{{- define "dorgu.named" -}}
{{- $suffix := printf "-%s" (index . 1) }}
{{- $room := sub 63 (len $suffix) | int }}
{{- include "dorgu.fullname" (index . 0) | trunc $room | trimSuffix "-" }}{{ $suffix }}
{{- end }}

{{- define "dorgu.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "dorgu.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* The Secret with the webhook's certificate: the process' own, cert-manager's or the user's. */}}
{{- define "dorgu.webhookSecret" -}}
{{- if .Values.webhook.certManager.enabled }}
{{- include "dorgu.named" (list . "webhook-tls") }}
{{- else }}
{{- default (include "dorgu.named" (list . "webhook-ca")) .Values.webhook.existingSecret }}
{{- end }}
{{- end }}

{{- /* Not empty when the process makes the certificate itself. */}}
{{- define "dorgu.makesCertificate" -}}
{{- if not (or .Values.webhook.certManager.enabled .Values.webhook.existingSecret) }}true{{ end }}
{{- end }}

{{- define "dorgu.image" -}}
{{- with .Values.image }}
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- /* The port at the end of an address. */}}
{{- define "dorgu.port" -}}
{{- regexFind "[0-9]+$" . }}
{{- end }}

{{- /* The whole seconds of a duration, or nothing where a number in it has more digits than can be reckoned with. */}}
{{- define "dorgu.seconds" -}}
{{- if and . (not (regexMatch "[0-9]{7}" .)) }}
{{- $start := toDate "2006-01-02" "2000-01-01" }}
{{- sub (mustDateModify . $start | unixEpoch) (unixEpoch $start) }}
{{- end }}
{{- end }}
