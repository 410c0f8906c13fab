{{/* Binding of a ValidatingAdmissionPolicy to itself. Takes root, name and annotations. */}}
{{- define "zerotrust-operator.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "zerotrust-operator.labels" .root | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end }}

{{/* One ServiceAccount may make, change and delete only sandboxes. Takes root, name, serviceAccount and annotations. */}}
{{- define "zerotrust-operator.namespacePolicy" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ .name }}
  labels:
    {{- include "zerotrust-operator.labels" .root | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE, DELETE]
        resources: [namespaces]
  matchConditions:
    - name: asked-by-the-service-account
      expression: {{ printf "request.userInfo.username == 'system:serviceaccount:%s:%s'" .root.Release.Namespace .serviceAccount | quote }}
  validations:
    - expression: {{ printf "request.operation == 'CREATE' || %s" (include "zerotrust-operator.isSandbox" "oldObject") | quote }}
      reason: Forbidden
      message: zerotrust-operator may change or delete only namespaces that are sandboxes already (named zt-…, labelled app.kubernetes.io/managed-by=zerotrust-operator)
    - expression: {{ printf "request.operation == 'DELETE' || %s" (include "zerotrust-operator.isSandbox" "object") | quote }}
      reason: Forbidden
      message: a namespace made by zerotrust-operator is a sandbox (named zt-…, labelled app.kubernetes.io/managed-by=zerotrust-operator) and stays one
    - expression: request.operation == 'DELETE' || object.metadata.?labels[?'pod-security.kubernetes.io/enforce'].orValue('') in ['restricted', 'baseline']
      reason: Forbidden
      message: a sandbox enforces the restricted or the baseline Pod Security Standard (label pod-security.kubernetes.io/enforce)
{{- end }}
