//! A chart in the form of the Go operator's, as far as Helm and an API server can distinguish them (contract 7.3, 7.4):
//! CustomResourceDefinitions in `crds/`, its names, its selector, the Secret it mounts. For a release `dorgu-operator` in
//! `dorgu-system`.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::manifests;

const CHART: &str = "{apiVersion: v2, name: dorgu-operator, version: 0.2.1, appVersion: 0.2.1}";
const VALUES: &str = "webhook: {enabled: false, mode: advisory}";
const LABELS: &str = r#"
{{- define "labels" -}}
labels: {app.kubernetes.io/name: dorgu-operator, app.kubernetes.io/instance: {{ .Release.Name }}}
{{- end }}"#;
const ACCOUNT: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata:
  name: dorgu-operator
  {{ include "labels" . }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: dorgu-operator-manager
  {{ include "labels" . }}
rules:
- {apiGroups: [dorgu.io], resources: [applicationpersonas], verbs: [get, list, watch, update, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: dorgu-operator-manager
  {{ include "labels" . }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: dorgu-operator-manager}
subjects: [{kind: ServiceAccount, name: dorgu-operator, namespace: dorgu-system}]
"#;
const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: dorgu-operator
  {{ include "labels" . }}
spec:
  replicas: 1
  selector:
    matchLabels: {app.kubernetes.io/name: dorgu-operator, app.kubernetes.io/instance: {{ .Release.Name }}}
  template:
    metadata:
      {{ include "labels" . }}
    spec:
      serviceAccountName: dorgu-operator
      containers:
      - name: manager
        image: example.com/theirs:0.2.1
        command: [/manager]
        args: [--leader-elect=true]
        ports: [{containerPort: 8081, name: healthz}]
        volumeMounts: [{name: certs, mountPath: /tmp/k8s-webhook-server/serving-certs}]
      volumes: [{name: certs, secret: {secretName: dorgu-operator-webhook-certs}}]
"#;
const WEBHOOK: &str = r#"
{{- if .Values.webhook.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: dorgu-operator-webhook
  {{ include "labels" . }}
spec:
  ports: [{name: webhook, port: 443, targetPort: 9443}]
  selector: {app.kubernetes.io/name: dorgu-operator, app.kubernetes.io/instance: {{ .Release.Name }}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: dorgu-operator-deployment
  {{ include "labels" . }}
webhooks:
- name: validate-deployment.dorgu.io
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig:
    service: {name: dorgu-operator-webhook, namespace: dorgu-system, path: /validate-deployment}
  rules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}]
  namespaceSelector: {matchExpressions: [{key: dorgu.io/validate, operator: In, values: ["true"]}]}
{{- end }}
"#;

/// The chart, in a folder of its own.
pub(super) fn chart() -> TempDir {
    let folder = TempDir::new().unwrap();
    for below in ["templates", "crds"] {
        fs::create_dir(folder.path().join(below)).unwrap();
    }
    let files = [
        ("Chart.yaml", CHART),
        ("values.yaml", VALUES),
        ("templates/_labels.tpl", LABELS),
        ("templates/account.yaml", ACCOUNT),
        ("templates/deployment.yaml", DEPLOYMENT),
        ("templates/webhook.yaml", WEBHOOK),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    for kind in ["applicationpersonas", "clusterpersonas"] {
        let file = folder.path().join("crds").join(format!("{kind}.yaml"));
        fs::write(file, definition(kind).to_string()).unwrap();
    }
    folder
}

/// Ours without what theirs has not, and with what its generator writes.
fn definition(kind: &str) -> Value {
    let crd = fs::read_to_string(manifests().join(format!("crds/dorgu.io_{kind}.yaml"))).unwrap();
    let mut crd: Value = serde_saphyr::from_str(&crd).unwrap();
    crd["metadata"]["annotations"] = json!({"controller-gen.kubebuilder.io/version": "v0.19.0"});
    for (place, key) in [("/spec/versions/0", "selectableFields"), ("/spec/names", "categories")] {
        crd.pointer_mut(place)
            .and_then(Value::as_object_mut)
            .unwrap()
            .remove(key);
    }
    crd
}
