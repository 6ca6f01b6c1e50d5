//! Writes objects as YAML. A folder has one file for each object, so that a kustomization can leave an object out, and the
//! kustomization itself. A single file has all objects.

use serde::Serialize;
use serde_json::Value;

use super::Objects;
use crate::api::crd;

/// Where the CustomResourceDefinitions are, beside the other files.
const CRDS: &str = "crds";
const KUSTOMIZATION: &str = "kustomization.yaml";

/// Objects that cannot be serialised.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// One is not representable in JSON.
    #[error("{file} does not serialise: {cause}")]
    Json {
        /// Which one.
        file: String,
        /// Why.
        cause: serde_json::Error,
    },
    /// One is not representable in YAML.
    #[error("{file} does not serialise as YAML: {cause}")]
    Yaml {
        /// Which one.
        file: String,
        /// Why.
        cause: serde_saphyr::ser_error::Error,
    },
    /// A CustomResourceDefinition cannot be written.
    #[error(transparent)]
    Crd(#[from] crd::RenderError),
}

/// The kustomization that kubectl reads in a folder. The API has no type for it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    resources: Vec<String>,
}

impl Objects {
    /// Every object as a file: its name and its YAML, in an order in which they can be created. The same installation gives the
    /// same bytes.
    ///
    /// # Errors
    /// An object cannot be written as YAML, which is a mistake in the types.
    pub fn render(&self) -> Result<Vec<(String, String)>, RenderError> {
        let mut files = vec![
            yaml("namespace", &self.namespace)?,
            yaml("service-account", &self.service_account)?,
            yaml("cluster-role", &self.cluster_role)?,
            yaml("cluster-role-binding", &self.cluster_role_binding)?,
            yaml("role", &self.role)?,
            yaml("role-binding", &self.role_binding)?,
            yaml("exception-viewer", &self.exception_viewer)?,
            yaml("exception-editor", &self.exception_editor)?,
            yaml("webhook-service", &self.webhook_service)?,
            yaml("deployment", &self.deployment)?,
        ];
        if let Some(reader) = &self.metrics_reader {
            files.push(yaml("metrics-reader", reader)?);
        }
        if let Some(service) = &self.metrics_service {
            files.push(yaml("metrics-service", service)?);
        }
        if let Some(budget) = &self.pod_disruption_budget {
            files.push(yaml("pod-disruption-budget", budget)?);
        }
        files.push(yaml("validating-webhook", &self.validating_webhook)?);
        Ok(files)
    }

    /// A folder for `kubectl apply -k`: the CustomResourceDefinitions in `crds/`, the objects, the kustomization.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn folder(&self) -> Result<Vec<(String, String)>, RenderError> {
        let crds = crd::render(self.definitions.clone())?.into_iter();
        let mut files: Vec<_> = crds.map(|(name, text)| (format!("{CRDS}/{name}"), text)).collect();
        files.extend(self.render()?);
        let kustomization = Kustomization {
            api_version: "kustomize.config.k8s.io/v1beta1",
            kind: "Kustomization",
            resources: files.iter().map(|(name, _)| name.clone()).collect(),
        };
        files.push(yaml(KUSTOMIZATION.trim_end_matches(".yaml"), &kustomization)?);
        Ok(files)
    }

    /// The same objects as [`Self::folder`] in one text, for `kubectl apply -f`, in an order in which they can be created.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn single_file(&self) -> Result<String, RenderError> {
        let files = crd::render(self.definitions.clone())?.into_iter().chain(self.render()?);
        let documents: Vec<String> = files.map(|(_, text)| text).collect();
        Ok(documents.join("---\n"))
    }
}

fn yaml(name: &str, object: &impl Serialize) -> Result<(String, String), RenderError> {
    let file = format!("{name}.yaml");
    // Through JSON, whose keys are sorted.
    let value: Value = serde_json::to_value(object).map_err(|cause| RenderError::Json {
        file: file.clone(),
        cause,
    })?;
    match serde_saphyr::to_string(&value) {
        Ok(text) => Ok((file, text)),
        Err(cause) => Err(RenderError::Yaml { file, cause }),
    }
}
