{{/* Processes of which each is a user of its own: those of tradewind.bus.access. */}}
{{- define "tradewind.kafka.processes" -}}
["executor", "feed", "features", "install-test", "recorder", "signals"]
{{- end -}}

{{- define "tradewind.kafka.secured" -}}
{{- if eq .Values.kafka.security.protocol "SASL_SSL" }}yes{{ end -}}
{{- end -}}

{{/* Whether the chart makes the users' Secrets; otherwise they are somebody else's, as Strimzi's. */}}
{{- define "tradewind.kafka.makes" -}}
{{- if and (include "tradewind.kafka.secured" .) (not .Values.kafka.security.secretPrefix) }}yes{{ end -}}
{{- end -}}

{{/* Whether the chart makes topics and rights: it needs somebody who may. */}}
{{- define "tradewind.kafka.provisions" -}}
{{- $security := .Values.kafka.security -}}
{{- if include "tradewind.kafka.secured" . -}}
{{- if and (include "tradewind.kafka.makes" .) (ne $security.mechanism "SCRAM-SHA-512") -}}
{{- fail "kafka.security.mechanism: the users that the chart makes are SCRAM-SHA-512's; name users of your own by secretPrefix" -}}
{{- end -}}
{{- if or .Values.kafka.enabled $security.admin.secret }}yes{{ else if not $security.secretPrefix -}}
{{- fail "kafka.security: name the users' Secrets by secretPrefix, or a user who may make them by admin.secret; PLAINTEXT where the brokers know no users" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* include "tradewind.kafka.user" (list $ "recorder") */}}
{{- define "tradewind.kafka.user" -}}
{{ (index . 0).Values.kafka.security.userPrefix }}{{ index . 1 }}
{{- end -}}

{{/* The Secret with its password, key password. */}}
{{- define "tradewind.kafka.secret" -}}
{{- $root := index . 0 -}}
{{ default (printf "%s-kafka-" (include "tradewind.fullname" $root)) $root.Values.kafka.security.secretPrefix }}{{ index . 1 }}
{{- end -}}

{{- define "tradewind.kafka.admin.secret" -}}
{{ default (printf "%s-kafka-admin" (include "tradewind.fullname" .)) (ternary "" .Values.kafka.security.admin.secret .Values.kafka.enabled) }}
{{- end -}}

{{/* Where the CA's certificate lies, as tradewind.operators.config has it; null: the system's. */}}
{{- define "tradewind.kafka.authority" -}}
{{- $security := .Values.kafka.security -}}
{{- if and .Values.kafka.enabled $security.tlsSecret -}}
{"secret": {{ quote $security.tlsSecret }}, "key": "ca.crt"}
{{- else if .Values.kafka.enabled -}}
{"config_map": "{{ include "tradewind.fullname" . }}-kafka-ca", "key": "ca.crt"}
{{- else if $security.ca.secret -}}
{"secret": {{ quote $security.ca.secret }}, "key": {{ quote $security.ca.key }}}
{{- else if $security.ca.configMap -}}
{"config_map": {{ quote $security.ca.configMap }}, "key": {{ quote $security.ca.key }}}
{{- else -}}
null
{{- end -}}
{{- end -}}

{{/* Environment of a pod that speaks to Kafka: include "tradewind.kafka.env" (list $ USER SECRET MECHANISM) */}}
{{- define "tradewind.kafka.env" -}}
{{- $root := index . 0 -}}
- {name: KAFKA_REACH_S, value: "60"} # brokers that start just now are waited for
{{- if include "tradewind.kafka.secured" $root }}
- {name: KAFKA_SECURITY_PROTOCOL, value: SASL_SSL}
- {name: KAFKA_SASL_MECHANISM, value: {{ index . 3 }}}
- {name: KAFKA_SASL_USERNAME, value: {{ index . 1 | quote }}}
- {name: KAFKA_SASL_PASSWORD, valueFrom: {secretKeyRef: {name: {{ index . 2 }}, key: password}}}
{{- if ne (include "tradewind.kafka.authority" $root) "null" }}
- {name: KAFKA_CA_FILE, value: /etc/tradewind/bus/ca.pem}
{{- end }}
{{- end }}
{{- end -}}

{{/* The same for one of the processes: include "tradewind.kafka.as" (list $ "recorder") */}}
{{- define "tradewind.kafka.as" -}}
{{ include "tradewind.kafka.env" (list (index . 0) (include "tradewind.kafka.user" .) (include "tradewind.kafka.secret" .) (index . 0).Values.kafka.security.mechanism) }}
{{- end -}}

{{- define "tradewind.kafka.mount" -}}
{{- if and (include "tradewind.kafka.secured" .) (ne (include "tradewind.kafka.authority" .) "null") }}
- {name: bus-ca, mountPath: /etc/tradewind/bus, readOnly: true}
{{- end }}
{{- end -}}

{{- define "tradewind.kafka.volume" -}}
{{- $ca := include "tradewind.kafka.authority" . | fromJson -}}
{{- if and (include "tradewind.kafka.secured" .) (ne (include "tradewind.kafka.authority" .) "null") }}
{{- if $ca.secret }}
- {name: bus-ca, secret: {secretName: {{ $ca.secret }}, items: [{key: {{ $ca.key }}, path: ca.pem}]}}
{{- else }}
- {name: bus-ca, configMap: {name: {{ $ca.config_map }}, items: [{key: {{ $ca.key }}, path: ca.pem}]}}
{{- end }}
{{- end }}
{{- end -}}

{{/* services.kafka of the operator's configuration: who the pods are that it makes. */}}
{{- define "tradewind.kafka.operator" -}}
{{- if include "tradewind.kafka.secured" . -}}
{
  "mechanism": {{ .Values.kafka.security.mechanism | quote }},
  "ca": {{ include "tradewind.kafka.authority" . }},
  "users": {
    {{- range $i, $part := list "executor" "feed" "features" "signals" }}
    {{- if $i }},{{ end }}
    {{ quote $part }}: {"name": {{ include "tradewind.kafka.user" (list $ $part) | quote }}, "secret": {{ include "tradewind.kafka.secret" (list $ $part) | quote }}}
    {{- end }}
  }
}
{{- else -}}
null
{{- end -}}
{{- end -}}
