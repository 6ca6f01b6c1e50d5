//! Reads which right is missing from the text of a denial by the API server's authorizer. Denials by admission have other texts.

use std::fmt;

/// A right that an account lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRight {
    /// The account, as the API server names it.
    pub user: String,
    /// The verb, such as `list`.
    pub verb: String,
    /// The plural, its subresource and its group, such as `applicationpersonas.dorgu.io`.
    pub resource: String,
    /// The namespace; `None` where it is missing for all of them, and for kinds without namespaces.
    pub namespace: Option<String>,
}

impl MissingRight {
    /// The right that a denial names; `None` where it is none of the authorizer.
    pub fn read(text: &str) -> Option<MissingRight> {
        let (user, rest) = text.split_once("User \"")?.1.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, rest) = rest.split_once('"')?;
        let namespace = rest
            .strip_prefix(" in the namespace \"")
            .and_then(|rest| rest.split_once('"'));
        Some(MissingRight {
            user: user.to_owned(),
            verb: verb.to_owned(),
            resource: match group {
                "" => resource.to_owned(),
                group => format!("{resource}.{group}"),
            },
            namespace: namespace.map(|(namespace, _)| namespace.to_owned()),
        })
    }
}

impl fmt::Display for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.verb, self.resource)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MissingRight;

    #[test]
    fn verb_kind_and_namespace_are_read() {
        let read = |text| MissingRight::read(text).map(|right| format!("{}: {right}", right.user));
        let one = "applicationpersonas.dorgu.io \"orders\" is forbidden: User \"system:serviceaccount:a:b\" cannot get resource \
                   \"applicationpersonas\" in API group \"dorgu.io\" in the namespace \"shop\" (403)";
        assert_eq!(
            read(one).as_deref(),
            Some("system:serviceaccount:a:b: get on applicationpersonas.dorgu.io in namespace shop")
        );
        let all = "namespaces is forbidden: User \"jane\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope";
        assert_eq!(read(all).as_deref(), Some("jane: list on namespaces in all namespaces"));
        assert_eq!(read("admission webhook \"x\" denied the request: no"), None);
    }
}
