//! Translates a persona into ValidatingAdmissionPolicies, which an API server applies by itself. They are a second line for the
//! time in which no pod of ours answers, or for clusters whose API server may call nothing.
//!
//! Pure. The rules are those of `policy` under `--rules complete`, the ratchet included. A rule is translated only where CEL
//! says exactly what `policy` decides; what is not translated is listed ([`NotCovered`]). The translation depends on the mode
//! and the levels at the time of the translation.

mod cel;
mod demands;
mod images;
mod not_covered;
mod render;
mod security;

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
    Variable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::api::selector::Expression;
use crate::policy::{Level, Mode, Persona, PlatformRules, Rule};
use cel::{Forbids, text, texts};
use demands::{Demand, app_label};
pub use not_covered::NotCovered;
pub use render::{RenderError, json, yaml};

/// Label of each object: the namespace of the persona, by which the objects of a namespace are selected.
pub const NAMESPACE_LABEL: &str = "dorgu.io/persona-namespace";

/// Longest name of a cluster-scoped object.
const MAX_NAME: usize = 253;

/// What a translation depends on besides the persona.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The stricter mode of process and namespace.
    pub mode: Mode,
    /// The levels that the platform requires.
    pub platform: &'a PlatformRules,
}

/// A persona that cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// It governs what no other persona governs, and a policy sees no persona.
    #[error(
        "ApplicationPersona '{0}' is a default persona: it governs apps without a persona of their own, and a policy cannot \
         know which these are"
    )]
    Default(String),
    /// The names of its policies would be too long.
    #[error("the policies of ApplicationPersona '{0}' would have names of more than {MAX_NAME} characters")]
    LongName(String),
}

/// The policies of one persona.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// The namespace of the persona.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The mode that it was translated for.
    pub mode: Mode,
    /// At most one that denies and one that warns, each with its binding.
    pub policies: Vec<(ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding)>,
    /// What the policies do not say, and why.
    pub not_covered: Vec<NotCovered>,
}

impl Translation {
    /// Translates a persona.
    ///
    /// # Errors
    /// See [`Untranslatable`].
    pub fn of(persona: &Persona, setting: Setting<'_>) -> Result<Translation, Untranslatable> {
        let name = || format!("{}/{}", persona.namespace, persona.name);
        if persona.is_default() {
            return Err(Untranslatable::Default(name()));
        }
        if Effect::Deny.name(persona).len() > MAX_NAME {
            return Err(Untranslatable::LongName(name()));
        }
        let mode = persona.mode.or_stricter(setting.mode);
        let (mut demands, mut own) = demands::of(persona);
        demands.extend(security::of(persona));
        let (of_images, variables) = images::of(persona);
        demands.extend(of_images);
        own.extend(variables);
        demands.sort_by_key(|demand| demand.rule);
        let variables = cel::variables(own);
        let mut not_covered = NotCovered::of(persona);
        let (mut denied, mut warned) = (Vec::new(), Vec::new());
        for demand in &demands {
            let level = match demand.rule.settable() {
                Some(_) => setting.platform.level(demand.rule, &persona.levels),
                None => Level::Deny,
            };
            let validation = |forbids| validation(persona, demand, forbids);
            match level {
                Level::Off => {}
                Level::Audit => not_covered.push(NotCovered::audited(demand.rule)),
                Level::Deny if mode == Mode::Enforcing => {
                    denied.extend(validation(Forbids::New));
                    warned.extend(validation(Forbids::Kept));
                }
                Level::Deny | Level::Warn => warned.extend(validation(Forbids::Any)),
            }
        }
        let policies = [(Effect::Deny, denied), (Effect::Warn, warned)];
        let policies = policies.into_iter().filter(|(_, validations)| !validations.is_empty());
        Ok(Translation {
            namespace: persona.namespace.clone(),
            name: persona.name.clone(),
            mode,
            policies: policies
                .map(|(effect, validations)| {
                    let policy = policy(persona, effect, validations, &variables);
                    (policy, binding(persona, effect))
                })
                .collect(),
            not_covered,
        })
    }
}

/// What a policy does to a request with a violation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Deny,
    Warn,
}

impl Effect {
    /// The action of a binding.
    fn action(self) -> &'static str {
        match self {
            Effect::Deny => "Deny",
            Effect::Warn => "Warn",
        }
    }

    /// The name of the policy and of its binding.
    fn name(self, persona: &Persona) -> String {
        let action = self.action().to_ascii_lowercase();
        format!("{}.{}.{action}", persona.namespace, persona.name)
    }
}

/// The validation of a rule; `None` where it forbids nothing.
fn validation(persona: &Persona, demand: &Demand, forbids: Forbids) -> Option<Validation> {
    let violations = demand.violations.iter();
    let parts: Vec<String> = violations.flat_map(|violation| violation.forbidden(forbids)).collect();
    let Demand { rule, text, .. } = demand;
    (!parts.is_empty()).then(|| Validation {
        expression: parts.join(" &&\n"),
        message: Some(format!(
            "{}: {text} (ApplicationPersona '{}')",
            rule.name(),
            persona.name
        )),
        // As a webhook's denial.
        reason: (forbids == Forbids::New).then(|| "Forbidden".to_owned()),
        ..Validation::default()
    })
}

fn metadata(persona: &Persona, effect: Effect) -> ObjectMeta {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    ObjectMeta {
        name: Some(effect.name(persona)),
        labels: Some(
            [
                label("app.kubernetes.io/managed-by", "dorgu"),
                label(NAMESPACE_LABEL, &persona.namespace),
            ]
            .into(),
        ),
        ..ObjectMeta::default()
    }
}

fn policy(
    persona: &Persona,
    effect: Effect,
    validations: Vec<Validation>,
    variables: &[(&'static str, String)],
) -> ValidatingAdmissionPolicy {
    let one = |text: &str| Some(vec![text.to_owned()]);
    let rule = NamedRuleWithOperations {
        api_groups: one("apps"),
        api_versions: one("v1"),
        operations: Some(vec!["CREATE".to_owned(), "UPDATE".to_owned()]),
        resources: one("deployments"),
        ..NamedRuleWithOperations::default()
    };
    let expressions: Vec<&str> = validations
        .iter()
        .map(|validation| validation.expression.as_str())
        .collect();
    let variables = cel::read_by(variables, &expressions).into_iter();
    let variables: Vec<Variable> = variables
        .map(|(name, expression)| Variable {
            name: name.to_owned(),
            expression,
        })
        .collect();
    ValidatingAdmissionPolicy {
        metadata: metadata(persona, effect),
        spec: Some(ValidatingAdmissionPolicySpec {
            // A failure of ours denies no workload.
            failure_policy: Some("Ignore".to_owned()),
            match_constraints: Some(MatchResources {
                resource_rules: Some(vec![rule]),
                ..MatchResources::default()
            }),
            match_conditions: Some(conditions(persona)),
            variables: (!variables.is_empty()).then_some(variables),
            validations: Some(validations),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    }
}

fn binding(persona: &Persona, effect: Effect) -> ValidatingAdmissionPolicyBinding {
    let namespace = ("kubernetes.io/metadata.name".to_owned(), persona.namespace.clone());
    ValidatingAdmissionPolicyBinding {
        metadata: metadata(persona, effect),
        spec: Some(ValidatingAdmissionPolicyBindingSpec {
            policy_name: Some(effect.name(persona)),
            match_resources: Some(MatchResources {
                namespace_selector: Some(LabelSelector {
                    match_labels: Some([namespace].into()),
                    ..LabelSelector::default()
                }),
                ..MatchResources::default()
            }),
            validation_actions: Some(vec![effect.action().to_owned()]),
            ..ValidatingAdmissionPolicyBindingSpec::default()
        }),
    }
}

/// Which requests are judged: where the persona governs the new object or, of an update, the stored one. What is being deleted
/// is judged only where its spec changes.
fn conditions(persona: &Persona) -> Vec<MatchCondition> {
    let condition = |name: &str, expression: String| MatchCondition {
        name: name.to_owned(),
        expression,
    };
    let (new, old) = (governs(persona, "object"), governs(persona, "oldObject"));
    vec![
        condition("governed", format!("{new} ||\nrequest.operation == 'UPDATE' && {old}")),
        condition(
            "not-being-deleted",
            "!has(object.metadata.deletionTimestamp) || request.operation != 'UPDATE' || object.spec != oldObject.spec"
                .to_owned(),
        ),
    ]
}

/// Whether the persona governs an object.
fn governs(persona: &Persona, object: &str) -> String {
    let app = format!("{} == {}", app_label(object), text(&persona.app));
    let selector = persona.selector.iter().flat_map(|selector| selector.requirements());
    let requirements = selector.map(|requirement| required(requirement, object));
    let all: Vec<String> = std::iter::once(app).chain(requirements).collect();
    format!("({})", all.join(" && "))
}

/// A requirement of a label selector.
fn required(requirement: &Expression, object: &str) -> String {
    let label = |key: &str| format!("{object}.metadata.?labels[?{}]", text(key));
    let is_one_of = |key: &str, values: String| format!("{}.optMap(v, v in {values}).orValue(false)", label(key));
    match requirement {
        Expression::In(key, values) => is_one_of(key, texts(values.iter().map(String::as_str))),
        Expression::NotIn(key, values) => {
            format!("!{}", is_one_of(key, texts(values.iter().map(String::as_str))))
        }
        Expression::Equal(key, value) => is_one_of(key, texts([value.as_str()])),
        Expression::NotEqual(key, value) => format!("!{}", is_one_of(key, texts([value.as_str()]))),
        Expression::Exists(key) => format!("{}.hasValue()", label(key)),
        Expression::DoesNotExist(key) => format!("!{}.hasValue()", label(key)),
    }
}

/// The rules that are translated where a persona demands them.
pub fn translated() -> impl Iterator<Item = Rule> {
    Rule::ALL.into_iter().filter(|rule| {
        !matches!(
            rule,
            Rule::AppLabelChanged
                | Rule::AppLabelMissing
                | Rule::PersonaValueUnreadable
                | Rule::PersonaDuplicate
                | Rule::ModeUnknown
                | Rule::ObjectUnreadable
        )
    })
}

#[cfg(test)]
mod tests;
