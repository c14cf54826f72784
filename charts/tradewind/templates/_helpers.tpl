{{/* The release's name, unless it says nothing of Tradewind. */}}
{{- define "tradewind.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of a part: include "tradewind.labels" (list $ "kafka") */}}
{{- define "tradewind.labels" -}}
{{- $root := index . 0 -}}
{{ include "tradewind.podLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* Labels of its pods: without versions, or each upgrade would restart them all, the broker and the databases among them. */}}
{{- define "tradewind.podLabels" -}}
{{ include "tradewind.selector" . }}
app.kubernetes.io/part-of: tradewind
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
{{- end -}}

{{- define "tradewind.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{/* metadata of a part's object: include "tradewind.meta" (list $ "kafka") */}}
{{- define "tradewind.meta" -}}
name: {{ include "tradewind.fullname" (index . 0) }}-{{ index . 1 }}
labels:
  {{- include "tradewind.labels" . | nindent 2 }}
{{- end -}}

{{- define "tradewind.image" -}}
{{- $image := index . 1 -}}
{{- $first := splitList "/" $image | first -}}
{{- if or (contains "." $first) (contains ":" $first) (eq $first "localhost") -}}
{{- $image -}}
{{- else -}}
{{- printf "%s%s" (index . 0).Values.images.prefix $image -}}
{{- end -}}
{{- end -}}

{{/* Name of a priority class, if there is one: include "tradewind.priority" (list $ "executors") */}}
{{- define "tradewind.priority" -}}
{{- $root := index . 0 -}}
{{- $own := ternary (printf "%s-%s-%s" $root.Release.Namespace (include "tradewind.fullname" $root) (index . 1)) "" $root.Values.priorityClasses.create -}}
{{ get $root.Values.priorityClasses (index . 1) | default $own }}
{{- end -}}

{{/* What every pod of the chart has: include "tradewind.pod" (list $ UID), and the priority class where it isn't services'. */}}
{{- define "tradewind.pod" -}}
{{- $root := index . 0 -}}
{{- $class := "services" -}}
{{- if gt (len .) 2 }}{{ $class = index . 2 }}{{ end -}}
enableServiceLinks: false
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 1 }}
  fsGroup: {{ index . 1 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with include "tradewind.priority" (list $root $class) }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* What every container has: include "tradewind.container" (list $ IMAGE RESOURCES) */}}
{{- define "tradewind.container" -}}
image: {{ include "tradewind.image" . }}
imagePullPolicy: {{ (index . 0).Values.images.pullPolicy }}
resources: {{ toJson (index . 2) }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* A volume claim's spec: include "tradewind.claim" (list $ SIZE ACCESSMODE) */}}
{{- define "tradewind.claim" -}}
accessModes: [{{ index . 2 }}]
resources: {requests: {storage: {{ index . 1 }}}}
{{- with (index . 0).Values.storageClass }}
storageClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Probes of a process of Tradewind itself. */}}
{{- define "tradewind.probes" -}}
startupProbe: {httpGet: {path: /livez, port: metrics}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 90}
livenessProbe: {httpGet: {path: /livez, port: metrics}, periodSeconds: 10, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: metrics}, periodSeconds: 5, timeoutSeconds: 5}
{{- end -}}

{{/* Where the shared services are: here, or where the values say. */}}
{{- define "tradewind.bus" -}}
{{- if .Values.kafka.enabled -}}
kafka://{{ include "tradewind.fullname" . }}-kafka:9092
{{- else -}}
kafka://{{ required "kafka.bootstrap is missing: give HOST:PORT of the brokers, or set kafka.enabled" .Values.kafka.bootstrap }}
{{- end -}}
{{- end -}}

{{- define "tradewind.postgres.host" -}}
{{- if .Values.postgres.enabled -}}
{{ include "tradewind.fullname" . }}-postgres
{{- else -}}
{{ required "postgres.host is missing: give the server's name, or set postgres.enabled" .Values.postgres.host }}
{{- end -}}
{{- end -}}

{{/* SQLAlchemy address of a database: include "tradewind.postgres" (list $ "record") */}}
{{- define "tradewind.postgres" -}}
{{- $root := index . 0 -}}
postgresql+psycopg://{{ $root.Values.postgres.user }}@{{ include "tradewind.postgres.host" $root }}:{{ $root.Values.postgres.port }}/{{ index . 1 }}
{{- end -}}

{{- define "tradewind.postgres.secret" -}}
{{ default (printf "%s-postgres" (include "tradewind.fullname" .)) .Values.postgres.existingSecret }}
{{- end -}}

{{- define "tradewind.redis" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "tradewind.fullname" . }}-redis:6379/0
{{- else -}}
redis://{{ required "redis.address is missing: give HOST:PORT, or set redis.enabled" .Values.redis.address }}/0
{{- end -}}
{{- end -}}

{{- define "tradewind.redis.secret" -}}
{{ default (printf "%s-redis" (include "tradewind.fullname" .)) .Values.redis.existingSecret }}
{{- end -}}

{{- define "tradewind.mlflow" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "tradewind.fullname" . }}-mlflow:5000
{{- else -}}
{{ required "mlflow.url is missing: give the tracking server's URL, or set mlflow.enabled" .Values.mlflow.url }}
{{- end -}}
{{- end -}}

{{- define "tradewind.ray.dashboard" -}}
{{- if .Values.ray.enabled -}}
http://{{ include "tradewind.fullname" . }}-ray:8265
{{- else -}}
{{ required "ray.dashboard is missing: give the dashboard's URL, or set ray.enabled" .Values.ray.dashboard }}
{{- end -}}
{{- end -}}

{{- define "tradewind.ray.grpc" -}}
{{- if .Values.ray.enabled -}}
{{ include "tradewind.fullname" . }}-ray:9000
{{- else -}}
{{ required "ray.grpc is missing: give HOST:PORT of Serve's gRPC, or set ray.enabled" .Values.ray.grpc }}
{{- end -}}
{{- end -}}

{{/* The Secret with RAY_AUTH_TOKEN, which the cluster asks for. */}}
{{- define "tradewind.ray.secret" -}}
{{ default (printf "%s-ray" (include "tradewind.fullname" .)) .Values.ray.existingSecret }}
{{- end -}}

{{- define "tradewind.data.claim" -}}
{{ default (printf "%s-data" (include "tradewind.fullname" .)) .Values.data.existingClaim }}
{{- end -}}

{{/* A variable from a Secret's key of the same name: include "tradewind.secretEnv" (list NAME SECRET) */}}
{{- define "tradewind.secretEnv" -}}
- {name: {{ index . 0 }}, valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 0 }}}}}
{{- end -}}

{{/* A password that is made once: what the Secret has already, or a new one. include "tradewind.kept" (list $ SECRET KEY) */}}
{{- define "tradewind.kept" -}}
{{- $root := index . 0 -}}
{{- $there := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- if $there -}}
{{ index $there.data (index . 2) }}
{{- else -}}
{{ randAlphaNum 32 | b64enc }}
{{- end -}}
{{- end -}}

{{/* A quantity of memory in bytes. */}}
{{- define "tradewind.bytes" -}}
{{- $n := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[A-Za-z]*$" . -}}
{{- $factor := get (dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824) $unit -}}
{{- mul $n (required (printf "%s is not a quantity of memory: write for example 512Mi" .) $factor) -}}
{{- end -}}
