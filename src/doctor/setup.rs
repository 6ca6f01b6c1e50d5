//! Determines the intended setup of an installation. A setting is taken from the flags of this command, otherwise from the
//! arguments of the Deployment, otherwise it is the shipped one.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;

use crate::install::Installation;
use crate::policy::{Level, Matching, Mode, PlatformRules, Rule, RuleSet, Rulebook};
use crate::runtime::About;

/// The user's description of the installation. `None`: find out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its namespace.
    pub namespace: String,
    /// The Deployment's name, which is the prefix of all names.
    pub name: String,
    /// `--webhook-config`.
    pub configuration: Option<String>,
    /// `--webhook-service`.
    pub service: Option<String>,
    /// `--webhook-secret`.
    pub secret: Option<String>,
    /// `--match`.
    pub matching: Option<Matching>,
    /// `--require-label`.
    pub requires_label: Option<bool>,
}

/// The intended setup.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The namespace.
    pub namespace: String,
    /// The Deployment.
    pub name: String,
    /// The ServiceAccount.
    pub account: String,
    /// The ValidatingWebhookConfiguration.
    pub configuration: String,
    /// The Service.
    pub service: String,
    /// The Secret; `None` when the certificate is in files of the pods.
    pub secret: Option<String>,
    /// How Deployments are matched to personas.
    pub matching: Matching,
    /// Whether a Deployment without the app label is a finding.
    pub requires_label: bool,
    /// The levels that its flags require.
    pub platform: PlatformRules,
    /// The namespace whose default personas also govern others.
    pub default_personas_namespace: Option<String>,
    /// `--exception-max`, as it was given.
    pub exception_max: Option<String>,
    /// Whether the webhook is served.
    pub webhook: bool,
    /// Whether a Lease elects the writer.
    pub elects: bool,
    /// Whether clients of the metrics are authorized.
    pub reviews_tokens: bool,
    /// Whether a first ClusterPersona is created.
    pub makes_cluster_persona: bool,
    /// Rules and mode of the process.
    pub rulebook: Rulebook,
    /// The parts of the process.
    pub parts: Vec<&'static About>,
    /// The entries of the webhook configuration whose part is switched off by a flag.
    pub switched_off: Vec<&'static str>,
}

impl Setup {
    /// The Deployment's arguments fill in what the flags leave open. Without a Deployment, the shipped values apply.
    pub fn read(wanted: &Wanted, parts: &[&'static About], deployment: Option<&Deployment>) -> Setup {
        let pod = deployment
            .and_then(|deployment| deployment.spec.as_ref())
            .and_then(|spec| spec.template.spec.as_ref());
        let arguments = pod.map(|pod| Arguments::of(&pod.containers)).unwrap_or_default();
        let shipped = Installation {
            namespace: wanted.namespace.clone(),
            fullname: wanted.name.clone(),
            ..Installation::of(parts.iter().copied())
        };
        let told = |flag: &str| arguments.value(flag).filter(|value| !value.is_empty());
        let named = |given: &Option<String>, flag: &str, shipped: String| {
            given.clone().or_else(|| told(flag)).unwrap_or(shipped)
        };
        let seen = pod.is_some();
        // With certificate files, the process does not read the Secret.
        let in_files = told("webhook-cert-path").is_some();
        let metrics = match told("metrics-bind-address") {
            Some(address) => address != "0",
            None => !seen,
        };
        let set = match told("rules").as_deref() {
            Some("upstream") => RuleSet::Upstream,
            _ => RuleSet::Complete,
        };
        Setup {
            account: pod.and_then(|pod| pod.service_account_name.clone()).unwrap_or_else(|| {
                if seen {
                    "default".to_owned()
                } else {
                    wanted.name.clone()
                }
            }),
            configuration: named(&wanted.configuration, "webhook-config", shipped.webhook_configuration()),
            service: named(&wanted.service, "webhook-service", shipped.webhook_service()),
            secret: (!in_files).then(|| named(&wanted.secret, "webhook-secret", shipped.webhook_secret())),
            matching: wanted.matching.unwrap_or_else(|| match told("match").as_deref() {
                Some("chain") => Matching::Chain,
                _ => Matching::Label,
            }),
            // Upstream's rules ignore the flag.
            requires_label: set == RuleSet::Complete
                && wanted
                    .requires_label
                    .or_else(|| arguments.switch("require-label"))
                    .unwrap_or(false),
            platform: platform(&arguments),
            default_personas_namespace: told("default-personas-namespace"),
            exception_max: told("exception-max"),
            webhook: arguments.switch("enable-webhook").unwrap_or(!seen),
            elects: arguments.switch("leader-elect").unwrap_or(!seen),
            reviews_tokens: metrics && arguments.switch("metrics-secure").unwrap_or(true),
            makes_cluster_persona: arguments.switch("auto-create-cluster-persona").unwrap_or(false),
            rulebook: Rulebook {
                set,
                mode: match told("webhook-mode").as_deref() {
                    Some("enforcing") => Mode::Enforcing,
                    _ => Mode::Advisory,
                },
            },
            namespace: wanted.namespace.clone(),
            name: wanted.name.clone(),
            switched_off: parts
                .iter()
                .flat_map(|part| part.admission)
                .filter(|admission| !admission.switch.is_empty() && arguments.switch(admission.switch) == Some(false))
                .map(|admission| admission.webhook)
                .collect(),
            parts: parts.to_vec(),
        }
    }

    /// Whether a part serves the entry of this name, and not the webhook for workloads.
    pub(super) fn is_of_a_part(&self, entry: &str) -> bool {
        let mut admission = self.parts.iter().flat_map(|part| part.admission);
        admission.any(|admission| admission.webhook == entry)
    }

    /// The names of an installation that is made now.
    pub(super) fn installation(&self) -> Installation {
        Installation {
            namespace: self.namespace.clone(),
            fullname: self.name.clone(),
            matching: self.matching,
            requires_label: self.requires_label,
            metrics: self.reviews_tokens,
            ..Installation::of(self.parts.iter().copied())
        }
    }
}

/// Command line and environment of the process, from its container.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    words: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Arguments {
    /// Those of the Deployment's container.
    pub fn of_deployment(deployment: &Deployment) -> Arguments {
        let spec = deployment.spec.as_ref();
        let pod = spec.and_then(|spec| spec.template.spec.as_ref());
        pod.map(|pod| Arguments::of(&pod.containers)).unwrap_or_default()
    }

    fn of(containers: &[Container]) -> Arguments {
        let words = |container: &Container| {
            let command = container.command.iter().chain(&container.args).flatten();
            command.cloned().collect::<Vec<String>>()
        };
        let serves = |container: &&Container| words(container).iter().any(|word| word == "serve");
        let ours = containers.iter().find(serves).or(containers.first());
        let variables = ours.iter().flat_map(|container| container.env.iter().flatten());
        Arguments {
            words: ours.map(words).unwrap_or_default(),
            environment: variables
                .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
                .collect(),
        }
    }

    /// The value of a flag: with one dash or two, `--flag=value` or `--flag value`. The last one counts; one that is absent is
    /// read from the environment.
    pub fn value(&self, flag: &str) -> Option<String> {
        self.given(flag).next_back().or_else(|| self.variable(flag))
    }

    /// The values of a flag that is repeatable, and that takes several with commas between them.
    pub fn values(&self, flag: &str) -> Vec<String> {
        let mut given: Vec<String> = self.given(flag).collect();
        if given.is_empty() {
            given.extend(self.variable(flag));
        }
        let parts = given.iter().flat_map(|value| value.split(','));
        parts.map(str::to_owned).collect()
    }

    fn given(&self, flag: &str) -> impl DoubleEndedIterator<Item = String> {
        let after = move |(at, word): (usize, &String)| match named(word, flag)? {
            Some(value) => Some(value.to_owned()),
            None => Some(self.words.get(at + 1).cloned().unwrap_or_default()),
        };
        self.words.iter().enumerate().filter_map(after)
    }

    /// The value of a flag that needs none.
    pub fn switch(&self, flag: &str) -> Option<bool> {
        let given = self.words.iter().filter_map(|word| named(word, flag)).next_back();
        let given = given.map(|value| value.unwrap_or("true").to_owned());
        given.or_else(|| self.variable(flag)).map(|value| value == "true")
    }

    fn variable(&self, flag: &str) -> Option<String> {
        let name = format!("DORGU_{}", flag.replace('-', "_").to_uppercase());
        let found = self.environment.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.clone())
    }
}

/// The levels of `--rule-level` and `--rule-locked`. The process has rejected what cannot be read.
fn platform(arguments: &Arguments) -> PlatformRules {
    let (levels, locked) = (arguments.values("rule-level"), arguments.values("rule-locked"));
    let level = |setting: &String| {
        let (rule, level) = setting.split_once('=')?;
        Rule::settable_by_name(rule).zip(Level::by_name(level))
    };
    let locked = locked.iter().filter_map(|rule| Rule::settable_by_name(rule));
    PlatformRules::of_flags(levels.iter().filter_map(level), locked)
}

/// The value that a word gives this flag, if it names this flag at all.
fn named<'a>(word: &'a str, flag: &str) -> Option<Option<&'a str>> {
    let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let rest = bare.strip_prefix(flag)?;
    match rest.strip_prefix('=') {
        Some(value) => Some(Some(value)),
        None => rest.is_empty().then_some(None),
    }
}
