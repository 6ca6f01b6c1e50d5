//! Reads the label selector of a persona (`spec.selector`), and the labels that it is matched against. What a selector means
//! is left to kube's [`Expression`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dorgu_api::names::{label_value, qualified_name};
use dorgu_api::selector::{Expression, LabelSelector, LabelSelectorRequirement, SelectorExt};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::text::Text;
use super::workload::ScaleStatus;

/// The requirements of one persona; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(Box<[Expression]>);

impl Selector {
    /// `None` where nothing is required. `unreadable` gets the field and the text of each requirement that Kubernetes would
    /// reject: it narrows nothing.
    pub(super) fn parse(
        selector: &LabelSelector,
        mut unreadable: impl FnMut(&'static str, String),
    ) -> Option<Box<Selector>> {
        let mut expressions = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            match qualified_name(key).and_then(|()| label_value(value)) {
                Ok(()) => expressions.push(Expression::Equal(key.clone(), value.clone())),
                Err(_) => unreadable("spec.selector.matchLabels", format!("{key}={value}")),
            }
        }
        for requirement in selector.match_expressions.iter().flatten() {
            match read(requirement) {
                Some(expression) => expressions.push(expression),
                None => {
                    let LabelSelectorRequirement { key, operator, values } = requirement;
                    let values = values.as_deref().unwrap_or_default().join(",");
                    unreadable("spec.selector.matchExpressions", format!("{key} {operator} ({values})"));
                }
            }
        }
        (!expressions.is_empty()).then(|| Box::new(Selector(expressions.into())))
    }

    /// The requirements, all of which have to hold.
    pub fn requirements(&self) -> &[Expression] {
        &self.0
    }

    /// Whether all requirements hold.
    pub(super) fn matches(&self, labels: &ReadLabels) -> bool {
        self.unmet(labels).next().is_none()
    }

    /// The keys of the requirements that do not hold.
    pub(super) fn unmet(&self, labels: &ReadLabels) -> impl Iterator<Item = &str> {
        let unmet = self.0.iter().filter(|expression| !expression.matches(&labels.0));
        unmet.map(key)
    }
}

fn key(expression: &Expression) -> &str {
    match expression {
        Expression::In(key, _)
        | Expression::NotIn(key, _)
        | Expression::Equal(key, _)
        | Expression::NotEqual(key, _)
        | Expression::Exists(key)
        | Expression::DoesNotExist(key) => key,
    }
}

/// `None` where an API server would reject it.
fn read(requirement: &LabelSelectorRequirement) -> Option<Expression> {
    let values = requirement.values.as_deref().unwrap_or_default();
    let takes_values = matches!(requirement.operator.as_str(), "In" | "NotIn");
    let is_valid = qualified_name(&requirement.key).is_ok()
        && values.iter().all(|value| label_value(value).is_ok())
        && takes_values != values.is_empty();
    // An operator that is none fails here.
    is_valid.then(|| requirement.clone().try_into().ok()).flatten()
}

/// Where the labels of an object are.
#[derive(Clone, Copy)]
pub enum ObjectLabels<'l> {
    /// `metadata.labels` as JSON; empty where there are none.
    Json(&'l str),
    /// The same, searched for only where a selector reads labels.
    Found(&'l dyn Fn() -> &'l str),
    /// In their stead, the labels that the pod selector of an unknown Deployment requires.
    Required(&'l ScaleStatus<'l>),
}

impl fmt::Debug for ObjectLabels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ObjectLabels::Json(_) => "Json",
            ObjectLabels::Found(_) => "Found",
            ObjectLabels::Required(_) => "Required",
        })
    }
}

/// The labels of an object that some selectors read. All others are skipped, since an object may have thousands.
#[derive(Debug, Default)]
pub(super) struct ReadLabels(BTreeMap<String, String>);

impl ReadLabels {
    /// Those that these selectors read, in one pass over the labels.
    pub(super) fn of<'s>(selectors: impl Iterator<Item = &'s Selector>, labels: ObjectLabels<'_>) -> ReadLabels {
        let keys: BTreeSet<&str> = selectors.flat_map(|selector| &selector.0).map(key).collect();
        let json = match labels {
            ObjectLabels::Json(json) => json,
            ObjectLabels::Found(find) => find(),
            ObjectLabels::Required(status) => {
                let required = status.required_labels().filter(|(key, _)| keys.contains(key));
                return ReadLabels(
                    required
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect(),
                );
            }
        };
        let mut read = BTreeMap::new();
        if !json.is_empty() {
            let mut json = serde_json::Deserializer::from_str(json);
            // The text was read as an object before. What is no label in it does not count as one.
            let _ = json.deserialize_any(Wanted { keys, read: &mut read });
        }
        ReadLabels(read)
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// Collects the labels with these keys.
struct Wanted<'k, 'r> {
    keys: BTreeSet<&'k str>,
    read: &'r mut BTreeMap<String, String>,
}

impl<'de> Visitor<'de> for Wanted<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if self.keys.contains(key.as_str()) {
                let value: Text<'de> = map.next_value()?;
                self.read.insert(key.as_str().to_owned(), value.as_str().to_owned());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
