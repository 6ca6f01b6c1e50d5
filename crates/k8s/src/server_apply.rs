//! Applies an object server-side as one field manager among others: fields that another manager owns are reported, and taken
//! over only by force. [`super::apply`] is for objects of which this process is the only writer.

use kube::Client;
use kube::api::{Patch, PatchParams, Request, ValidationDirective};
use kube::core::Status;
use serde_json::Value;

use super::error::CallError;
use super::object::call_for_status;
use super::resource::{Name, Resource};

/// How an object is applied.
#[derive(Clone, Copy, Debug)]
pub struct ServerApply<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Whether fields are taken over from other managers.
    pub force: bool,
    /// Whether nothing is stored.
    pub dry_run: bool,
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The manager.
    pub manager: String,
    /// The field, such as `.spec.tier`.
    pub field: String,
}

/// Why an object was not applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// Other managers own fields that would change.
    #[error("other field managers own fields that would change")]
    Conflicts(Vec<Conflict>),
    /// The request failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl ServerApply<'_> {
    /// Applies `object` and returns the outcome. A field that the kind does not have is an error.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn send(
        self,
        client: &Client,
        resource: &Resource,
        name: &Name,
        object: &Value,
    ) -> Result<Value, ApplyError> {
        let params = PatchParams {
            dry_run: self.dry_run,
            force: self.force,
            field_manager: Some(self.manager.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let requests = Request::new(resource.collection(&name.namespace));
        let request = requests.patch(&name.name, &params, &Patch::Apply(object));
        match call_for_status(client, request).await? {
            Ok(applied) => Ok(applied),
            Err(kube::Error::Api(status)) if status.code == 409 => match conflicts(&status) {
                found if found.is_empty() => Err(CallError::from(kube::Error::Api(status)).into()),
                found => Err(ApplyError::Conflicts(found)),
            },
            Err(error) => Err(CallError::from(error).into()),
        }
    }
}

/// The conflicts that a status lists; none where it is about something else, such as a version.
fn conflicts(status: &Status) -> Vec<Conflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes = causes.filter(|cause| cause.reason == "FieldManagerConflict");
    let mut found: Vec<Conflict> = causes
        .map(|cause| Conflict {
            // `conflict with "kubectl-edit" using dorgu.io/v1`
            manager: cause.message.split('"').nth(1).unwrap_or(&cause.message).to_owned(),
            field: cause.field.clone(),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{Conflict, conflicts};

    #[test]
    fn the_manager_and_the_field_of_a_conflict_are_read() {
        let status: Status = serde_json::from_str(
            r#"{"kind":"Status","status":"Failure","message":"Apply failed with 1 conflict","reason":"Conflict","code":409,
                "details":{"causes":[
                    {"reason":"FieldManagerConflict","message":"conflict with \"kubectl edit\" using dorgu.io/v1","field":".spec.tier"},
                    {"reason":"Other","message":"x","field":".spec.type"}]}}"#,
        )
        .expect("a status");
        let wanted = Conflict {
            manager: "kubectl edit".to_owned(),
            field: ".spec.tier".to_owned(),
        };
        assert_eq!(conflicts(&status), [wanted]);
    }
}
