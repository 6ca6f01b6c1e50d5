//! Finds the personas that govern an object, and the Deployments that a persona governs. Both follow the same rules: the names
//! of an object in their order, the selectors of personas, and default personas.

use std::borrow::Cow;
use std::sync::Arc;

use super::Snapshot;
use super::entries::Deployment;
use super::table::Keyed;
use crate::policy::{Governed, Joint, MatchStrength, Matching, Names, ObjectLabels, Persona, Personas, RuleSet};

impl Snapshot {
    /// The personas that govern an object with these names and labels: those of the first name that has any for these labels.
    /// Where no name has one, the default personas govern, with [`Matching::Label`] only an object with a label. `place` holds
    /// the personas where the labels leave only some of an app's.
    pub fn governed<'s>(
        &'s self,
        namespace: &str,
        names: Names<'s>,
        labels: ObjectLabels<'_>,
        place: &'s mut Option<Joint>,
    ) -> Governed<'s> {
        let governed = self.narrowed(namespace, names, labels, place);
        if self.defaults.is_empty() {
            return governed;
        }
        match governed.personas.is_empty() {
            true => self.governed_by_default(namespace, names, governed.app),
            false => Governed {
                binding: self.defaults.beside_own(namespace),
                ..governed
            },
        }
    }

    /// The same without default personas.
    fn narrowed<'s>(
        &'s self,
        namespace: &str,
        names: Names<'s>,
        labels: ObjectLabels<'_>,
        place: &'s mut Option<Joint>,
    ) -> Governed<'s> {
        let mut unmatched = None;
        for (_, app) in names.in_order(self.matching) {
            let personas = self.find(namespace, app);
            if personas.is_empty() {
                continue;
            }
            let personas = match personas.narrowed(labels) {
                None => personas,
                Some(joint) if joint.is_empty() => {
                    unmatched.get_or_insert(app);
                    continue;
                }
                Some(joint) => place.insert(joint).personas(),
            };
            return Governed {
                app,
                personas,
                ..Governed::default()
            };
        }
        Governed {
            app: unmatched.unwrap_or(names.label),
            ..Governed::default()
        }
    }

    /// The personas of the first name that has any, whatever their selectors: upstream knows neither those nor default personas.
    pub fn governed_by_name<'s>(&'s self, namespace: &str, names: Names<'s>) -> Governed<'s> {
        let found = names.in_order(self.matching).find_map(|(_, app)| {
            let personas = self.find(namespace, app);
            (!personas.is_empty()).then_some((app, personas))
        });
        let (app, personas) = found.unwrap_or((names.label, Personas::default()));
        Governed {
            app,
            personas,
            ..Governed::default()
        }
    }

    fn governed_by_default<'s>(&'s self, namespace: &str, names: Names<'s>, app: &'s str) -> Governed<'s> {
        let (personas, binding) = match names.label.is_empty() && self.matching == Matching::Label {
            true => Default::default(),
            false => self.defaults.without_own(namespace),
        };
        Governed {
            app,
            by_default: !(personas.is_empty() && binding.is_empty()),
            personas,
            binding,
            ..Governed::default()
        }
    }

    /// The Deployments that a default persona governs, by namespace and name. One of the platform also governs Deployments of
    /// other namespaces that are opted in. Reads all Deployments.
    pub fn governed_by(&self, default: &Persona) -> Vec<&Arc<Deployment>> {
        let is_platform = self.defaults.platform() == Some(&default.namespace);
        let is_in_reach = |namespace: &str| match namespace == default.namespace {
            true => true,
            false => {
                is_platform && (default.is_binding || !self.defaults.are_in(namespace)) && self.is_opted_in(namespace)
            }
        };
        let is_governed = |deployment: &Deployment| {
            let (names, labels) = (deployment.names(), deployment.object_labels());
            let mut place = None;
            let governed = self.governed(&deployment.namespace, names, labels, &mut place);
            governed.by_default || (default.is_binding && !governed.is_empty())
        };
        let in_reach = self
            .deployments
            .iter()
            .filter(|deployment| is_in_reach(&deployment.namespace));
        let mut governed: Vec<&Arc<Deployment>> = in_reach.filter(|deployment| is_governed(deployment)).collect();
        governed.sort_by(|a, b| a.key().cmp(&b.key()));
        governed
    }

    /// The Deployments that a persona governs, by name: those that match its app most strongly, except those that match another
    /// governed app more strongly. A review of each of them is answered by this persona, too. One of upstream's rules governs
    /// them whatever its selector is.
    pub fn workloads(&self, persona: &Persona, set: RuleSet) -> Vec<&Arc<Deployment>> {
        let (namespace, app) = (&*persona.namespace, &*persona.app);
        let app_deployments = self.app_deployments.get(namespace, app);
        let app_deployments = app_deployments.map_or(&[][..], |app_deployments| &app_deployments.deployments);
        let governed = |deployment: &Deployment| {
            let labels = match set {
                RuleSet::Complete => Some(deployment.object_labels()),
                RuleSet::Upstream => None,
            };
            let is_governing = |name: &str| match labels {
                Some(labels) if name == app => persona.governs(labels),
                labels => self.leads(namespace, name, labels),
            };
            let names = deployment.names().in_order(self.matching);
            let mut claims = names.take_while(|(_, name)| *name == app || !is_governing(name));
            claims.find_map(|(strength, name)| (name == app && is_governing(name)).then_some(strength))
        };
        let ours = app_deployments
            .iter()
            .filter_map(|deployment| Some((governed(deployment)?, deployment)));
        let ours: Vec<(MatchStrength, &Arc<Deployment>)> = ours.collect();
        let strongest = ours.iter().map(|(strength, _)| *strength).min();
        let on_it = ours.into_iter().filter(|(strength, _)| Some(*strength) == strongest);
        on_it.map(|(_, deployment)| deployment).collect()
    }

    /// Whether any persona of that app governs an object with these labels, or with any.
    fn leads(&self, namespace: &str, app: &str, labels: Option<ObjectLabels<'_>>) -> bool {
        let personas = self.find(namespace, app);
        match labels {
            Some(labels) => personas.iter().any(|persona| persona.governs(labels)),
            None => !personas.is_empty(),
        }
    }

    /// The personas that share a Deployment with this one, itself included: those that govern it or, where there is not exactly
    /// one, those of its app that no selector keeps apart.
    pub fn sharing(&self, persona: &Persona, deployments: &[Arc<Deployment>], set: RuleSet) -> Cow<'_, [Arc<Persona>]> {
        let all = self.find(&persona.namespace, &persona.app);
        if set == RuleSet::Upstream || !all.is_narrowed() {
            return Cow::Borrowed(all.list());
        }
        let is_sharing = |other: &&Arc<Persona>| match deployments {
            [deployment] => other.governs(deployment.object_labels()),
            _ => other.selector.is_none() || persona.selector.is_none() || other.selector == persona.selector,
        };
        Cow::Owned(all.iter().filter(is_sharing).cloned().collect())
    }
}
