//! Holds the state of the index at one moment: personas, namespaces, Deployments, the levels that the platform requires,
//! exceptions, and which Deployments belong to which personas.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Kind;
use super::defaults::Defaults;
use super::entries::{AppDeployments, ClusterRules, Deployment, Namespace, StoredPersona};
use super::granted::Granted;
use super::shared::Shared;
use super::table::{Keyed, Table};
use super::tally::Tally;
use crate::policy::{DEFAULT_APP, Matching, Mode, ModeWish, Persona, Personas, PlatformRules};

/// Personas, namespaces and Deployments as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub(super) matching: Matching,
    pub(super) personas: Table<StoredPersona>,
    pub(super) tally: Tally,
    /// The same personas by namespace and app, as reviews search for them, without default personas.
    pub(super) governors: Table<Persona>,
    /// The default personas.
    pub(super) defaults: Arc<Defaults>,
    /// The joint demands of the personas of an app, where there are several.
    pub(super) shared: Table<Shared>,
    pub(super) namespaces: Table<Namespace>,
    pub(super) cluster_rules: Table<ClusterRules>,
    /// Behind a pointer, so that a change of another kind copies no table of it.
    pub(super) granted: Arc<Granted>,
    /// What flags and ClusterPersonas require together.
    pub(super) platform: Arc<PlatformRules>,
    pub(super) deployments: Table<Deployment>,
    /// The same Deployments by namespace and by each app they may belong to.
    pub(super) app_deployments: Table<AppDeployments>,
}

impl Snapshot {
    /// A snapshot of these personas and namespaces, without Deployments. Personas of one app are ordered by `metadata.name`, so
    /// that the same set always gives the same answer (contract 2.3 leaves the order open).
    pub fn build(
        personas: impl IntoIterator<Item = Arc<Persona>>,
        namespaces: impl IntoIterator<Item = (String, ModeWish)>,
    ) -> Snapshot {
        let stored = |persona| {
            Arc::new(StoredPersona {
                version: 0,
                generation: 0,
                status: None,
                persona,
            })
        };
        let namespace = |(name, mode): (String, ModeWish)| {
            Arc::new(Namespace {
                name: name.into(),
                mode,
                is_opted_in: true,
                terminating: false,
                uid: Box::default(),
            })
        };
        let personas = Table::build(personas.into_iter().map(stored));
        let governors = governors(&personas);
        let defaults = Defaults::default().with_all(personas.iter().map(|stored| &stored.persona));
        Snapshot {
            matching: Matching::default(),
            shared: Shared::all(&governors),
            governors,
            defaults: Arc::new(defaults),
            tally: Tally::of(personas.iter().map(Arc::as_ref)),
            personas,
            namespaces: Table::build(namespaces.into_iter().map(namespace)),
            cluster_rules: Table::default(),
            granted: Arc::default(),
            platform: Arc::default(),
            deployments: Table::default(),
            app_deployments: Table::default(),
        }
    }

    /// The same with levels that the platform requires.
    #[must_use]
    pub fn requiring(self, platform: PlatformRules) -> Snapshot {
        Snapshot {
            platform: Arc::new(platform),
            ..self
        }
    }

    /// Which names match a Deployment to its personas.
    pub fn matching(&self) -> Matching {
        self.matching
    }

    /// The levels that the platform requires.
    pub fn platform(&self) -> &PlatformRules {
        &self.platform
    }

    /// Every persona of that app, empty when there is none; for `*` the default personas of the namespace. Exact and
    /// case-sensitive; an empty name finds nothing.
    pub fn find(&self, namespace: &str, app: &str) -> Personas<'_> {
        match app {
            "" => return Personas::default(),
            DEFAULT_APP => return self.defaults.own(namespace),
            _ => {}
        }
        let list = self.governors.all(namespace, app);
        let shared = if list.len() > 1 {
            self.shared.get(namespace, app)
        } else {
            None
        };
        Personas::compiled(list, shared.map(|shared| &shared.strictest))
    }

    /// Whether a namespace is known, and the webhook is not called for it.
    pub fn is_left_out(&self, namespace: &str) -> bool {
        self.namespace(namespace)
            .is_some_and(|namespace| !namespace.is_opted_in)
    }

    pub(super) fn is_opted_in(&self, namespace: &str) -> bool {
        self.namespace(namespace).is_some_and(|namespace| namespace.is_opted_in)
    }

    /// The namespace's label `dorgu.io/mode`.
    pub fn namespace_mode(&self, namespace: &str) -> &ModeWish {
        static UNSET: ModeWish = ModeWish::Unset;
        self.namespaces.get("", namespace).map_or(&UNSET, |found| &found.mode)
    }

    /// The strictest annotation `dorgu.io/mode` among the personas that may govern an object of which only the namespace can be
    /// read. Reads all personas.
    pub fn strictest_persona_mode(&self, namespace: &str) -> Mode {
        let all = self.personas.iter().map(|stored| &stored.persona);
        let is_platform =
            |persona: &Persona| persona.is_default() && Some(persona.namespace.as_str()) == self.defaults.platform();
        all.filter(|persona| persona.namespace == namespace || is_platform(persona))
            .map(|persona| persona.mode.or_stricter(Mode::Advisory))
            .max()
            .unwrap_or_default()
    }

    /// The strictest mode that any persona or namespace requests, for an object whose namespace cannot be read either. Reads
    /// all of them.
    pub fn strictest_mode(&self) -> Mode {
        let personas = self.personas.iter().map(|stored| &stored.persona.mode);
        let namespaces = self.namespaces.iter().map(|namespace| &namespace.mode);
        let modes = personas.chain(namespaces).map(|wish| wish.or_stricter(Mode::Advisory));
        modes.max().unwrap_or_default()
    }

    /// The names by which that Deployment is matched to an app; `None` when it is unknown.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<&Deployment> {
        self.deployments.get(namespace, name).map(Arc::as_ref)
    }

    /// All namespaces, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.iter().map(Arc::as_ref)
    }

    /// That namespace.
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get("", name).map(Arc::as_ref)
    }

    /// The persona of that name, with the fingerprint of its status.
    pub fn persona(&self, namespace: &str, name: &str) -> Option<&Arc<StoredPersona>> {
        self.personas.get(namespace, name)
    }

    /// All personas, in no order.
    pub fn personas(&self) -> impl Iterator<Item = &Arc<StoredPersona>> {
        self.personas.iter()
    }

    /// How many personas there are, by phase and tier.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The stored entry when it equals `stored`. Otherwise `stored`, with the stored persona where its demands did not change.
    pub(super) fn reuse(&self, stored: Arc<StoredPersona>) -> Arc<StoredPersona> {
        let (namespace, name) = stored.key();
        match self.personas.get(namespace, name) {
            Some(there) if there.same(&stored) => Arc::clone(there),
            Some(there) if there.demands_same(&stored) => Arc::new(settled(Some(there), StoredPersona::clone(&stored))),
            _ => stored,
        }
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Persona => self.personas.len(),
            Kind::Namespace => self.namespaces.len(),
            Kind::Deployment => self.deployments.len(),
            Kind::ClusterPersona => self.cluster_rules.len(),
            Kind::Exception => self.granted.len(),
        }
    }

    /// Adds a persona to the list of its app, and updates the joint demands.
    pub(super) fn govern(&mut self, persona: &Arc<Persona>) {
        if persona.is_default() {
            self.defaults = Arc::new(self.defaults.with(persona));
            return;
        }
        self.governors.put(Arc::clone(persona));
        self.share(&persona.namespace, &persona.app);
    }

    /// Removes a persona from it.
    pub(super) fn release(&mut self, persona: &Persona) {
        if persona.is_default() {
            self.defaults = Arc::new(self.defaults.without(persona));
            return;
        }
        self.governors.remove(&persona.namespace, &persona.app, &persona.name);
        self.share(&persona.namespace, &persona.app);
    }

    /// Removes a persona that is here.
    pub(super) fn remove_persona(&mut self, stored: &StoredPersona) {
        self.release(&stored.persona);
        self.tally.take(stored);
        let (namespace, name) = stored.key();
        self.personas.remove(namespace, name, "");
    }

    fn share(&mut self, namespace: &str, app: &str) {
        match Shared::of(self.governors.all(namespace, app)) {
            Some(shared) => self.shared.put(shared),
            None => drop(self.shared.remove(namespace, app, "")),
        }
    }

    pub(super) fn put_persona(&mut self, stored: StoredPersona) {
        let (namespace, name) = stored.key();
        if let Some(before) = self.personas.get(namespace, name) {
            self.tally.take(before);
        }
        self.tally.add(&stored);
        self.personas.put(Arc::new(stored));
    }
}

/// Updates the lists of the apps that a Deployment matches, or matched before.
pub(super) fn reclaim(snapshot: &mut Snapshot, leaving: Option<&Arc<Deployment>>, coming: Option<&Arc<Deployment>>) {
    let Some(any) = coming.or(leaving) else { return };
    let (namespace, name) = (&*any.namespace, &*any.name);
    let matching = snapshot.matching;
    let apps = |deployment: Option<&Arc<Deployment>>| -> Vec<String> {
        let apps = deployment
            .map(|deployment| deployment.apps(matching))
            .unwrap_or_default();
        apps.into_iter().map(str::to_owned).collect()
    };
    let (before, after) = (apps(leaving), apps(coming));
    for app in before.iter().chain(after.iter().filter(|app| !before.contains(app))) {
        let there = snapshot.app_deployments.get(namespace, app);
        let there = there.map_or(&[][..], |app_deployments| &app_deployments.deployments);
        let others = there.iter().filter(|deployment| &*deployment.name != name);
        let mut list: Vec<Arc<Deployment>> = others.cloned().collect();
        if after.contains(app) {
            list.extend(coming.cloned());
        }
        if list.is_empty() {
            snapshot.app_deployments.remove(namespace, app, "");
        } else {
            snapshot.app_deployments.put(Arc::new(claim(app, list)));
        }
    }
}

fn claim(app: &str, mut deployments: Vec<Arc<Deployment>>) -> AppDeployments {
    deployments.sort_by(|a, b| a.name.cmp(&b.name));
    AppDeployments {
        app: app.into(),
        deployments: deployments.into(),
    }
}

/// All Deployments by namespace and matched app. Lists of `before` that did not change are reused.
pub(super) fn app_deployments(
    matching: Matching,
    deployments: &Table<Deployment>,
    before: &Table<AppDeployments>,
) -> Table<AppDeployments> {
    let mut lists: BTreeMap<(&str, &str), Vec<Arc<Deployment>>> = BTreeMap::new();
    for deployment in deployments.iter() {
        for app in deployment.apps(matching) {
            lists
                .entry((&deployment.namespace, app))
                .or_default()
                .push(Arc::clone(deployment));
        }
    }
    Table::build(
        lists
            .into_iter()
            .map(|((_, app), list)| before.reuse(Arc::new(claim(app, list)))),
    )
}

/// All personas by namespace and app, without default personas.
pub(super) fn governors(personas: &Table<StoredPersona>) -> Table<Persona> {
    let of_apps = personas.iter().filter(|stored| !stored.persona.is_default());
    Table::build(of_apps.map(|stored| Arc::clone(&stored.persona)))
}

/// The entry to store. A persona whose demands did not change keeps its place in memory.
pub(super) fn settled(before: Option<&StoredPersona>, mut stored: StoredPersona) -> StoredPersona {
    if let Some(before) = before.filter(|before| before.demands_same(&stored)) {
        stored.persona = Arc::clone(&before.persona);
    }
    stored
}
