//! Lists the rights that the process needs: those of the shipped roles, with the names and settings of this installation.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReviewSpec};

use super::setup::Setup;
use crate::runtime::{Grant, Need, Object, Scope};

/// One verb on one kind of object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Empty: in all namespaces.
    pub namespace: String,
    /// API group; empty for the core one.
    pub group: String,
    /// With its subresource after a slash.
    pub resource: String,
    /// Only the object of this name; empty: any.
    pub name: String,
    /// The verb.
    pub verb: String,
}

impl Right {
    /// The request whether this account has it.
    pub(super) fn question(&self, setup: &Setup) -> SubjectAccessReviewSpec {
        let (namespace, account) = (&setup.namespace, &setup.account);
        let (resource, subresource) = match self.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (self.resource.as_str(), None),
        };
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{namespace}:{account}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(ResourceAttributes {
                namespace: some(&self.namespace),
                verb: Some(self.verb.clone()),
                group: some(&self.group),
                resource: Some(resource.to_owned()),
                subresource,
                name: some(&self.name),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        }
    }
}

/// Every right that the process uses with this setup. `certificate_is_ours`: it writes its Secret as well as reading it.
pub(super) fn needed(setup: &Setup, certificate_is_ours: bool) -> Vec<Right> {
    let shipped = setup.installation();
    let mut rights: Vec<Right> = shipped
        .grants()
        .flat_map(|grant| granted(setup, grant))
        .filter(|(grant, right)| is_used(grant.need, right, setup, certificate_is_ours))
        .map(|(_, right)| right)
        .collect();
    if setup.makes_cluster_persona {
        rights.push(Right {
            namespace: String::new(),
            group: "dorgu.io".to_owned(),
            resource: "clusterpersonas".to_owned(),
            name: String::new(),
            verb: "create".to_owned(),
        });
    }
    rights
}

/// Whether this setup uses a right that is shipped for all.
fn is_used(need: Need, right: &Right, setup: &Setup, certificate_is_ours: bool) -> bool {
    let writes = !matches!(right.verb.as_str(), "list" | "watch");
    match need {
        Need::Always => true,
        Need::Registration => setup.webhook && (setup.secret.is_some() || !writes),
        Need::Certificates => setup.webhook && setup.secret.is_some() && (certificate_is_ours || !writes),
        Need::Election => setup.elects,
        Need::Metrics => setup.reviews_tokens,
    }
}

fn granted<'g>(setup: &Setup, grant: &'g Grant) -> impl Iterator<Item = (&'g Grant, Right)> {
    let namespace = match grant.scope {
        Scope::Cluster => String::new(),
        Scope::Home => setup.namespace.clone(),
    };
    let name = match grant.object {
        Object::Any => String::new(),
        Object::Named(name) => name.to_owned(),
        Object::WebhookConfiguration => setup.configuration.clone(),
        Object::WebhookSecret => setup.secret.clone().unwrap_or_default(),
    };
    grant.verbs.iter().map(move |&verb| {
        let right = Right {
            namespace: namespace.clone(),
            group: grant.group.to_owned(),
            resource: grant.resource.to_owned(),
            name: name.clone(),
            verb: verb.to_owned(),
        };
        (grant, right)
    })
}

/// Rights in one line, verbs of the same object together: `list, watch nodes; patch events.events.k8s.io`.
pub(super) struct Listed<'a>(pub(super) &'a [Right]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_object: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for right in self.0 {
            let mut object = right.resource.clone();
            for (before, part) in [(".", &right.group), ("/", &right.name), (" in ", &right.namespace)] {
                if !part.is_empty() {
                    object.extend([before, part.as_str()]);
                }
            }
            by_object.entry(object).or_default().push(&right.verb);
        }
        let listed = by_object
            .iter()
            .map(|(object, verbs)| format!("{} {object}", verbs.join(", ")));
        f.write_str(&listed.collect::<Vec<_>>().join("; "))
    }
}
