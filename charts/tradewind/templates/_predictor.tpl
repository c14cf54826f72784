{{/* Whether predictions are asked for over TLS. */}}
{{- define "tradewind.predictor.secured" -}}
{{- $tls := default dict (default dict .Values.predictor).tls -}} {{- /* --reuse-values from 0.1.0 has none */ -}}
{{- if dig "certManager" "issuerRef" "name" "" $tls -}}
{{- if not .Values.ray.enabled -}}
{{- fail "predictor.tls.certManager: the predictor runs elsewhere (ray.enabled: false), where its certificate is made; name a Secret with its ca.crt by predictor.tls.secretName" -}}
{{- end -}}
{{- if not (.Capabilities.APIVersions.Has "cert-manager.io/v1") -}}
{{- fail "predictor.tls.certManager: the cluster does not know cert-manager.io/v1; install cert-manager first, or name a Secret of your own by predictor.tls.secretName" -}}
{{- end -}}
yes
{{- else if $tls.secretName -}}
yes
{{- end -}}
{{- end -}}

{{/* The Secret with tls.crt, tls.key and ca.crt. */}}
{{- define "tradewind.predictor.secret" -}}
{{ default (printf "%s-predictor-tls" (include "tradewind.fullname" .)) .Values.predictor.tls.secretName }}
{{- end -}}

{{/* The pod's port that clients reach. 9000 is Serve's own, which speaks plain text and can't be bound to loopback. */}}
{{- define "tradewind.predictor.port" -}}
{{- if include "tradewind.predictor.secured" . }}9443{{ else }}9000{{ end -}}
{{- end -}}

{{- define "tradewind.predictor.config" -}}
{{ (.Files.Glob "files/predictor/*").AsConfig }}
{{- end -}}

{{/* Beside Ray's head: where TLS ends. */}}
{{- define "tradewind.predictor.container" -}}
- name: tls
  {{- include "tradewind.container" (list $ .Values.images.haproxy .Values.predictor.tls.resources) | nindent 2 }}
  command: [sh, /etc/tradewind/proxy/run.sh]
  ports:
    - {name: grpc-tls, containerPort: 9443}
  startupProbe: {tcpSocket: {port: grpc-tls}, periodSeconds: 2, failureThreshold: 30}
  livenessProbe: {tcpSocket: {port: grpc-tls}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
  readinessProbe: {tcpSocket: {port: grpc-tls}, periodSeconds: 5, timeoutSeconds: 5}
  volumeMounts:
    - {name: proxy, mountPath: /etc/tradewind/proxy, readOnly: true}
    - {name: predictor-tls, mountPath: /etc/tradewind/tls, readOnly: true}
{{- end -}}

{{- define "tradewind.predictor.volumes" -}}
- {name: proxy, configMap: {name: {{ include "tradewind.fullname" . }}-predictor}}
- {name: predictor-tls, secret: {secretName: {{ include "tradewind.predictor.secret" . }}, defaultMode: 0440}}
{{- end -}}
