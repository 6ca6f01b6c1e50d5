//! Writes translations as YAML or JSON for `kubectl apply`.

use serde_json::{Value, json};

use super::{NotCovered, Translation};

/// Objects that cannot be serialised, which is a mistake in the types.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// One is not representable in JSON.
    #[error("a policy does not serialise: {0}")]
    Json(#[from] serde_json::Error),
    /// One is not representable in YAML.
    #[error("a policy does not serialise as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
}

/// The objects as YAML documents. A comment before those of a persona says what they depend on and what they leave out.
///
/// # Errors
/// See [`RenderError`].
pub fn yaml(translations: &[Translation]) -> Result<String, RenderError> {
    let mut text = String::new();
    for (position, translation) in translations.iter().enumerate() {
        if position > 0 {
            text.push_str("---\n");
        }
        text.push_str(&heading(translation));
        for (position, object) in objects(translation)?.iter().enumerate() {
            if position > 0 {
                text.push_str("---\n");
            }
            text.push_str(&serde_saphyr::to_string(object)?);
        }
    }
    Ok(text)
}

/// The objects as one List. What the policies leave out is in its field `notCovered`, which kubectl ignores.
///
/// # Errors
/// See [`RenderError`].
pub fn json(translations: &[Translation]) -> Result<String, RenderError> {
    let (mut items, mut not_covered) = (Vec::new(), Vec::new());
    for translation in translations {
        items.extend(objects(translation)?);
        for NotCovered { what, why } in &translation.not_covered {
            let persona = format!("{}/{}", translation.namespace, translation.name);
            not_covered.push(json!({"persona": persona, "what": what, "why": why}));
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items, "notCovered": not_covered});
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

/// Each policy, then its binding.
fn objects(translation: &Translation) -> Result<Vec<Value>, RenderError> {
    let mut objects = Vec::new();
    for (policy, binding) in &translation.policies {
        objects.extend([serde_json::to_value(policy)?, serde_json::to_value(binding)?]);
    }
    Ok(objects)
}

fn heading(translation: &Translation) -> String {
    let Translation {
        namespace, name, mode, ..
    } = translation;
    let mut text = format!(
        "# ApplicationPersona {namespace}/{name} in mode {mode}, by dorgu {}. Print it again after a change of the persona,\n\
         # its namespace's mode or the platform's levels. Not covered:\n",
        env!("CARGO_PKG_VERSION")
    );
    for NotCovered { what, why } in &translation.not_covered {
        text.push_str(&format!("# - {what}: {why}\n"));
    }
    text
}
