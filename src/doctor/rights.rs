//! What the process may have to do: the shipped roles, for this installation's names and settings.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::PolicyRule;

use super::setup::Setup;

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
    /// What is done.
    pub verb: String,
}

impl Right {
    /// The question whether this account has it.
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

/// Every right that the process uses as it is set up; `certificate_is_ours`: it writes its Secret and does not only read
/// it.
pub(super) fn needed(setup: &Setup, certificate_is_ours: bool) -> Vec<Right> {
    let shipped = setup.installation();
    let objects = shipped.objects();
    let renamed = |name: &str| match () {
        () if name == shipped.webhook_configuration() => setup.configuration.clone(),
        () if name == shipped.webhook_secret() => setup.secret.clone().unwrap_or_default(),
        () => name.to_owned(),
    };
    let everywhere = objects.cluster_role.rules.into_iter().flatten();
    let at_home = objects.role.rules.into_iter().flatten();
    let rules = everywhere
        .map(|rule| (String::new(), rule))
        .chain(at_home.map(|rule| (setup.namespace.clone(), rule)));
    let mut rights: Vec<Right> = rules
        .flat_map(|(namespace, rule)| granted(&namespace, &rule, renamed))
        .filter(|right| is_used(right, setup, certificate_is_ours))
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

/// What is shipped for all and used only by some.
fn is_used(right: &Right, setup: &Setup, certificate_is_ours: bool) -> bool {
    let writes = !matches!(right.verb.as_str(), "list" | "watch");
    match right.resource.as_str() {
        "validatingwebhookconfigurations" => setup.webhook && (setup.secret.is_some() || !writes),
        "secrets" => setup.webhook && setup.secret.is_some() && (certificate_is_ours || !writes),
        "leases" => setup.elects,
        _ => true,
    }
}

fn granted(namespace: &str, rule: &PolicyRule, renamed: impl Fn(&str) -> String) -> Vec<Right> {
    let mut rights = Vec::new();
    let any = vec![String::new()];
    let names = rule.resource_names.as_ref().unwrap_or(&any);
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            for name in names {
                for verb in &rule.verbs {
                    rights.push(Right {
                        namespace: namespace.to_owned(),
                        group: group.clone(),
                        resource: resource.clone(),
                        name: renamed(name),
                        verb: verb.clone(),
                    });
                }
            }
        }
    }
    rights
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
