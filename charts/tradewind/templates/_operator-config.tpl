{{/* What tradewind.operators.config reads. The order of default_features is that of the vectors: toJson would sort it. */}}
{{- define "tradewind.operator.config" -}}
{
  "namespace": {{ .Release.Namespace | quote }},
  "identity": "",
  "images": {
    "executor": {{ include "tradewind.image" (list $ .Values.images.executor) | quote }},
    "streaming": {{ include "tradewind.image" (list $ .Values.images.streaming) | quote }},
    "operator": {{ include "tradewind.image" (list $ .Values.images.operator) | quote }}
  },
  "services": {
    "bus": {{ include "tradewind.bus" . | quote }},
    "kafka": {{ include "tradewind.kafka.operator" . | fromJson | toJson }},
    "predictor": {{ include "tradewind.ray.grpc" . | quote }},
    {{- if include "tradewind.predictor.secured" . }}
    "predictor_ca": {"secret": {{ include "tradewind.predictor.secret" . | quote }}, "key": "ca.crt"},
    {{- end }}
    {{- if .Values.venue.enabled }}
    "broker_url": "https://{{ include "tradewind.fullname" . }}-venue:8443",
    "broker_ca": "{{ include "tradewind.fullname" . }}-venue-ca",
    {{- end }}
    {{- if .Values.data.dataset }}
    "ray": {{ include "tradewind.ray.dashboard" . | quote }},
    "mlflow": {{ include "tradewind.mlflow" . | quote }},
    {{- end }}
    "store": {
      "registry": {{ include "tradewind.postgres" (list $ "feast") | quote }},
      "online": {{ include "tradewind.redis" . | quote }}
    },
    "data": {
      "claim": {{ include "tradewind.data.claim" . | quote }},
      "dataset": {{ .Values.data.dataset | default nil | toJson }},
      {{- if and .Values.venue.enabled .Values.data.replay.enabled }}
      "secret": "{{ include "tradewind.fullname" . }}-venue",
      {{- end }}
      "replay": {{ include "tradewind.replay" . }}
    }
  },
  "environment": {
    "features": {"secrets": [{{ include "tradewind.postgres.secret" . | quote }}, {{ include "tradewind.redis.secret" . | quote }}]}
  },
  "resources": {{ toJson .Values.operator.podResources }},
  "priority_classes": {
    {{- $services := include "tradewind.priority" (list $ "services") }}
    {{- range $part := list "signals" "features" "feed" }}
    {{- with $services }}
    {{ quote $part }}: {{ quote . }},
    {{- end }}
    {{- end }}
    "executor": {{ include "tradewind.priority" (list $ "executors") | default nil | toJson }}
  },
  "placement": {
    {{- range $part := list "signals" "features" "feed" }}
    {{ quote $part }}: {"node_selector": {{ toJson $.Values.nodeSelector }}, "tolerations": {{ toJson $.Values.tolerations }}},
    {{- end }}
    {{- $executor := default dict .Values.executor }} {{- /* --reuse-values from 0.1.0 has none */}}
    "executor": {
      "node_selector": {{ default .Values.nodeSelector $executor.nodeSelector | toJson }},
      "tolerations": {{ default .Values.tolerations $executor.tolerations | toJson }}
    }
  },
  "pull_secrets": [{{ range $i, $secret := .Values.images.pullSecrets }}{{ if $i }}, {{ end }}{{ quote $secret.name }}{{ end }}],
  "storage_class": {{ .Values.storageClass | default nil | toJson }},
  "election": {
    "lease_s": {{ int .Values.operator.election.leaseSeconds }},
    "renew_s": {{ int .Values.operator.election.renewSeconds }},
    "retry_s": {{ int .Values.operator.election.retrySeconds }}
  },
  "default_features": {{ .Files.Get "files/default-features.json" | trim }}
}
{{- end -}}

{{- define "tradewind.replay" -}}
{{- with .Values.data.replay -}}
{{- if .enabled -}}
{"trained_until": {{ include "tradewind.trainedUntil" $ }}, "speed": {{ .speed }}, "events": {{ .events | default nil | toJson }}}
{{- else -}}
null
{{- end -}}
{{- end -}}
{{- end -}}

{{/* ns UTC */}}
{{- define "tradewind.trainedUntil" -}}
{{ mul (toDate "2006-01-02T15:04:05Z" .Values.data.replay.trainedUntil | unixEpoch) 1000000000 }}
{{- end -}}
