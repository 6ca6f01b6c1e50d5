//! Builds the canary: a Deployment that is sent as a dry run and whose review must produce a finding. The rules of the
//! process compute this finding here, so its expected text is exact.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::checks::View;
use super::facts::Fetched;
use crate::api::labels::{APP_NAME, MODE};
use crate::policy::answer::warnings;
use crate::policy::{DEFAULT_APP, Governed, ModeWish, Persona, PlatformRules, Question, Subject, Workload, decide};

/// An app that has no persona of its own.
const UNGOVERNED: &str = "dorgu-doctor-canary";

/// The object to send, and the expected answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Canary {
    pub(super) namespace: String,
    /// The persona that governs it.
    pub(super) persona: String,
    pub(super) object: Value,
    /// Any of these warnings shows that the webhook was called.
    pub(super) warnings: Vec<String>,
    /// Whether it must be denied.
    pub(super) refused: bool,
}

impl Canary {
    /// A canary for the first persona, by namespace and name, with a finding about a nearly empty Deployment. `None` where no
    /// namespace whose Deployments are sent has such a persona, or where that is unknown. Of default personas those count that
    /// are of the namespace itself.
    pub(super) fn find(view: &View<'_>) -> Option<Canary> {
        let sent = super::checks::sent(view)?;
        let personas = view.facts.personas.here()?;
        let flags = &view.setup.platform;
        let platform = match &view.facts.platform {
            Fetched::Here(required) => flags.or(required),
            // Without the definition there are none.
            Fetched::Absent => flags.clone(),
            Fetched::Unavailable(_) => return None,
        };
        let mut by_app: BTreeMap<(&str, &str), Vec<Arc<Persona>>> = BTreeMap::new();
        for persona in personas {
            let app = (persona.namespace.as_str(), persona.app.as_str());
            by_app.entry(app).or_default().push(Arc::new(persona.clone()));
        }
        by_app.into_iter().find_map(|((namespace, app), mut personas)| {
            let place = sent.iter().find(|one| one.name == namespace && !one.terminating)?;
            personas.sort_by(|a, b| a.name.cmp(&b.name));
            let mode = ModeWish::read(place.labels.get(MODE).map(String::as_str));
            Canary::for_app(view, namespace, app, &personas, &mode, &platform)
        })
    }

    fn for_app(
        view: &View<'_>,
        namespace: &str,
        app: &str,
        personas: &[Arc<Persona>],
        mode: &ModeWish,
        platform: &PlatformRules,
    ) -> Option<Canary> {
        // A default persona governs what no other does.
        let by_default = app == DEFAULT_APP;
        let app = if by_default { UNGOVERNED } else { app };
        let object = object(namespace, app);
        let text = object.to_string();
        let new: Workload<'_> = serde_json::from_str(&text).ok()?;
        let decision = decide(
            view.setup.rulebook,
            &Question {
                subject: Subject::Deployment,
                new: &new,
                governed: Governed {
                    app,
                    personas: personas.into(),
                    by_default,
                    ..Governed::default()
                },
                old: None,
                namespace,
                namespace_mode: mode,
                platform,
            },
        );
        let (refused, warnings) = (!decision.allows(), warnings(&decision));
        (refused || !warnings.is_empty()).then(|| Canary {
            namespace: namespace.to_owned(),
            persona: decision.personas().next().unwrap_or_default().to_owned(),
            object,
            warnings,
            refused,
        })
    }
}

/// Harmless even if it were stored: no replicas, and an image from a domain that cannot exist.
fn object(namespace: &str, app: &str) -> Value {
    let labels = json!({APP_NAME: app, "dorgu.io/canary": "doctor"});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"generateName": "dorgu-doctor-", "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "canary", "image": "canary.invalid/doctor:1"}]},
            },
        },
    })
}
