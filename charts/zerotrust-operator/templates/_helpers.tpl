{{- define "zerotrust-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Prefix of every object's name; short enough that every suffix of ours still fits into 63 characters. */}}
{{- define "zerotrust-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else if hasPrefix (printf "%s-" .Release.Name) $name }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "zerotrust-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "zerotrust-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "zerotrust-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "zerotrust-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: zerotrust
{{- end }}

{{- define "zerotrust-operator.serviceAccountName" -}}
{{- default (include "zerotrust-operator.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "zerotrust-operator.sandboxRole" -}}
{{- printf "%s-sandbox" (include "zerotrust-operator.fullname" .) }}
{{- end }}

{{- define "zerotrust-operator.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}

{{- define "zerotrust-operator.probeImage" -}}
{{- printf "%s:%s" .Values.probeImage.repository (default .Chart.AppVersion .Values.probeImage.tag) }}
{{- end }}

{{- define "zerotrust-operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "zerotrust-operator.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "zerotrust-operator.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* CEL over one Namespace object, given by its expression: was it made by the operator as a sandbox? */}}
{{- define "zerotrust-operator.isSandbox" -}}
({{ . }}.metadata.name.startsWith('zt-') && {{ . }}.metadata.?labels[?'app.kubernetes.io/managed-by'].orValue('') == 'zerotrust-operator')
{{- end }}
