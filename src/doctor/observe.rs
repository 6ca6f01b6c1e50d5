//! Reads the cluster and judges nothing. Everything here is a read, except for the canary, which is a dry run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::canary::Canary;
use super::checks::{Call, View, shipped};
use super::facts::{Facts, Fetched, LeaseSample, Namespace, Readiness, SecretFacts, Unavailable};
use super::rights::{Right, needed};
use super::setup::{Setup, Wanted};
use crate::api::levels::{ClusterRulesSpec, PlatformRule};
use crate::api::names::{LEASE, READY_TO_ENFORCE};
use crate::api::{ApplicationPersona, ApplicationPersonaSpec, ClusterPersona, ObjectMeta};
use crate::certificates::Inspected;
use crate::k8s::{self, CallError, Client, Decode, Name, Resource, ServerInfo, Unreadable, from_json};
use crate::policy::{Persona, PlatformRules};

/// cert-manager's annotation on the Secrets that it writes.
const CERT_MANAGER: &str = "cert-manager.io/certificate-name";
/// A holder renews every 2 s. A time in the Lease that is older, or in the future, requires a second read.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// A live holder has renewed after this time.
const SECOND_LOOK: Duration = Duration::from_millis(2_500);

/// The first answer of the API server, and how far our clock is ahead of its.
pub(super) struct Server {
    info: ServerInfo,
    ahead: Option<SignedDuration>,
}

/// Sends the first request to the API server.
///
/// # Errors
/// It does not answer, or the answer is not an API server's.
pub(super) async fn server(client: &Client) -> Result<Server, CallError> {
    let before = Timestamp::now();
    let info = k8s::server_info(client).await?;
    let after = Timestamp::now();
    // The header has whole seconds. The fraction that it omits is half a second on average.
    let middle = before + after.duration_since(before) / 2 - SignedDuration::from_millis(500);
    Ok(Server {
        ahead: info.date.map(|date| middle.duration_since(date)),
        info,
    })
}

/// The Deployment, whose arguments say what else to read.
pub(super) async fn deployment(client: &Client, wanted: &Wanted) -> Fetched<Deployment> {
    let name = Name {
        namespace: wanted.namespace.clone(),
        name: wanted.name.clone(),
    };
    one(client, Resource::of::<Deployment>(), name).await
}

/// All other facts.
pub(super) async fn facts(client: &Client, server: Server, setup: &Setup, deployment: Fetched<Deployment>) -> Facts {
    let at_home = |name: &str| Name {
        namespace: setup.namespace.clone(),
        name: name.to_owned(),
    };
    let clock = Clock { ahead: server.ahead };
    let service_of = format!("kubernetes.io/service-name={}", setup.service);
    let (lease, service, slices, policies, configuration, secret, namespaces, personas, required, definitions) = tokio::join!(
        lease(client, at_home(LEASE), &clock),
        one(client, Resource::of::<core::Service>(), at_home(&setup.service)),
        many(client, Resource::of::<EndpointSlice>(), &setup.namespace, &service_of),
        many(client, Resource::of::<NetworkPolicy>(), &setup.namespace, ""),
        one(
            client,
            Resource::of::<ValidatingWebhookConfiguration>(),
            Name::cluster_wide(&setup.configuration)
        ),
        secret(client, setup.secret.as_deref().map(at_home)),
        all(client, Resource::of::<core::Namespace>()),
        all::<Read>(client, Resource::of::<ApplicationPersona>()),
        all::<Required>(client, Resource::of::<ClusterPersona>()),
        definitions(client, setup),
    );
    let ours = secret.here().is_none_or(|held| held.inspected.ours);
    let missing_rights = match deployment {
        Fetched::Here(_) => missing_rights(client, setup, ours).await,
        _ => Fetched::Absent,
    };
    let mut readiness = BTreeMap::new();
    let personas = match personas {
        Fetched::Here(personas) => Fetched::Here(Vec::from_iter(personas.into_iter().map(|Read(persona, ready)| {
            let key = (persona.namespace.clone(), persona.name.clone());
            readiness.extend(ready.map(|ready| (key, ready)));
            persona
        }))),
        Fetched::Absent => Fetched::Absent,
        Fetched::Unavailable(unavailable) => Fetched::Unavailable(unavailable),
    };
    Facts {
        version: server.info.version,
        now: clock.now(),
        ahead: server.ahead,
        definitions,
        deployment,
        service,
        slices,
        policies,
        configuration,
        secret,
        lease,
        namespaces,
        personas,
        platform: match required {
            Fetched::Here(required) => {
                let lists = required.iter().map(|Required(rules)| &**rules);
                Fetched::Here(PlatformRules::of_cluster(lists))
            }
            Fetched::Absent => Fetched::Absent,
            Fetched::Unavailable(unavailable) => Fetched::Unavailable(unavailable),
        },
        readiness,
        missing_rights,
    }
}

/// Sends the canary. If none of our texts comes back, sends it again to learn whether the API server tried to call.
///
/// # Errors
/// There was no answer.
pub(super) async fn call(client: &Client, view: &View<'_>) -> Result<Call, CallError> {
    let Some(canary) = Canary::find(view) else {
        let facts = view.facts;
        let unavailable = facts.namespaces.here().is_none() || facts.personas.here().is_none();
        let why = if unavailable || matches!(facts.platform, Fetched::Unavailable(_)) {
            "namespaces, personas and ClusterPersonas could not all be listed, so it is unknown what to try it with"
        } else {
            "no namespace that opted in has a persona that a Deployment could break, so there is nothing to try it with"
        };
        return Ok(Call::NotMade(why.to_owned()));
    };
    let webhook = &shipped(view.setup).name;
    let deployments = Resource::of::<Deployment>();
    let send = || k8s::dry_run_create(client, &deployments, &canary.namespace, &canary.object);
    let mut verdict = send().await?;
    let mut failed_open = None;
    if verdict.code == 201 && !Call::is_ours(&canary, &verdict, webhook) {
        let before = failures(client, webhook).await;
        verdict = send().await?;
        let after = failures(client, webhook).await;
        failed_open = before.zip(after).map(|(before, after)| after - before);
    }
    Ok(Call::Answered {
        canary,
        verdict,
        failed_open,
    })
}

/// How many requests this API server has admitted because its call of the webhook failed; `None` where we may not read that.
async fn failures(client: &Client, webhook: &str) -> Option<f64> {
    let metrics = k8s::raw_text(client, "/metrics").await.ok()?;
    let label = format!("name={webhook:?}");
    let samples = metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_admission_webhook_fail_open_count{") && line.contains(&label));
    let counts = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Some(counts.sum())
}

/// The API server's clock, derived from ours.
struct Clock {
    ahead: Option<SignedDuration>,
}

impl Clock {
    fn now(&self) -> Timestamp {
        Timestamp::now() - self.ahead.unwrap_or_default()
    }
}

fn unavailable(error: CallError, what: impl std::fmt::Display) -> Unavailable {
    Unavailable {
        forbidden: error.is_forbidden(),
        reason: if error.is_forbidden() {
            format!("you may not read {what}: {error}")
        } else {
            format!("cannot read {what}: {error}")
        },
    }
}

async fn one<T: DeserializeOwned>(client: &Client, resource: Resource, name: Name) -> Fetched<T> {
    match k8s::get(client, &resource, &name).await {
        Ok(Some(object)) => Fetched::Here(object),
        Ok(None) => Fetched::Absent,
        Err(error) => Fetched::Unavailable(unavailable(error, format_args!("{} {}", resource.plural, name.name))),
    }
}

async fn many<T: DeserializeOwned>(
    client: &Client,
    resource: Resource,
    namespace: &str,
    labels: &str,
) -> Fetched<Vec<T>> {
    match k8s::list(client, &resource, namespace, labels).await {
        Ok(objects) => Fetched::Here(objects),
        Err(error) => Fetched::Unavailable(unavailable(error, format_args!("{} in {namespace}", resource.plural))),
    }
}

/// All objects of a kind. One that cannot be decoded is left out, as in the process, which reports it.
async fn all<T: Decode>(client: &Client, resource: Resource) -> Fetched<Vec<T>> {
    let mut found = Vec::new();
    match k8s::list_each(client, &resource, |one| found.push(one)).await {
        Ok(_) => Fetched::Here(found),
        Err(error) if error.is_not_found() => Fetched::Absent,
        Err(error) => Fetched::Unavailable(unavailable(error, resource.plural)),
    }
}

async fn definitions(client: &Client, setup: &Setup) -> Vec<(String, Fetched<Value>)> {
    let mut seen = Vec::new();
    for definition in setup.installation().definitions() {
        let name = definition.metadata.name.unwrap_or_default();
        let read = one(
            client,
            Resource::of::<CustomResourceDefinition>(),
            Name::cluster_wide(&name),
        );
        seen.push((name, read.await));
    }
    seen
}

async fn secret(client: &Client, name: Option<Name>) -> Fetched<SecretFacts> {
    let Some(name) = name else { return Fetched::Absent };
    let shown = format!("secrets {}", name.name);
    match one::<Value>(client, Resource::of::<core::Secret>(), name).await {
        Fetched::Here(object) => match Inspected::read(&object.to_string()) {
            Ok(inspected) => Fetched::Here(SecretFacts {
                inspected,
                by_cert_manager: object["metadata"]["annotations"][CERT_MANAGER].is_string(),
            }),
            Err(reason) => Fetched::Unavailable(Unavailable {
                reason: format!("cannot read {shown}: {reason}"),
                forbidden: false,
            }),
        },
        Fetched::Absent => Fetched::Absent,
        Fetched::Unavailable(unavailable) => Fetched::Unavailable(unavailable),
    }
}

/// Reads the Lease, and a second time where its renewal time is not that of a live holder.
async fn lease(client: &Client, name: Name, clock: &Clock) -> Fetched<LeaseSample> {
    let read = async || one::<Lease>(client, Resource::of::<Lease>(), name.clone()).await;
    let renewed = |spec: &LeaseSpec| spec.renew_time.clone();
    let first = match read().await {
        Fetched::Here(lease) => lease.spec.unwrap_or_default(),
        Fetched::Absent => return Fetched::Absent,
        Fetched::Unavailable(unavailable) => return Fetched::Unavailable(unavailable),
    };
    let at = clock.now();
    let fresh = renewed(&first).is_some_and(|time| at.duration_since(time.0).abs() <= FRESH);
    let held = first.holder_identity.as_ref().is_some_and(|holder| !holder.is_empty());
    let once = LeaseSample {
        spec: first,
        renewed_meanwhile: false,
        at,
    };
    if fresh || !held {
        return Fetched::Here(once);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    match read().await {
        Fetched::Here(lease) => {
            let spec = lease.spec.unwrap_or_default();
            Fetched::Here(LeaseSample {
                renewed_meanwhile: renewed(&spec) != renewed(&once.spec),
                spec,
                at: clock.now(),
            })
        }
        Fetched::Absent | Fetched::Unavailable(_) => Fetched::Here(once),
    }
}

async fn missing_rights(client: &Client, setup: &Setup, certificate_is_ours: bool) -> Fetched<Vec<Right>> {
    let mut missing = Vec::new();
    for right in needed(setup, certificate_is_ours) {
        match k8s::can(client, right.question(setup)).await {
            Ok(true) => {}
            Ok(false) => missing.push(right),
            Err(error) => {
                let forbidden = error.is_forbidden();
                return Fetched::Unavailable(Unavailable {
                    reason: format!(
                        "{} what the account may do: {error}",
                        if forbidden { "you may not ask" } else { "cannot ask" }
                    ),
                    forbidden,
                });
            }
        }
    }
    Fetched::Here(missing)
}

impl Decode for Namespace {
    fn decode(json: &str) -> Result<Namespace, Unreadable> {
        #[derive(serde::Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            name: String,
            labels: Option<BTreeMap<String, String>>,
            annotations: Option<Annotations>,
            deletion_timestamp: Option<IgnoredAny>,
        }
        #[derive(serde::Deserialize)]
        struct Annotations {
            #[serde(rename = "dorgu.io/mode")]
            mode: Option<String>,
        }
        let metadata = from_json::<Object>(json)?.metadata;
        Ok(Namespace {
            name: metadata.name,
            labels: metadata.labels.unwrap_or_default(),
            misplaced_mode: metadata.annotations.and_then(|annotations| annotations.mode),
            terminating: metadata.deletion_timestamp.is_some(),
        })
    }
}

/// What the status of a persona of this generation says of `ReadyToEnforce`.
pub(super) fn readiness(status: &Value, generation: Option<i64>) -> Option<Readiness> {
    let conditions = status["conditions"].as_array()?;
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == READY_TO_ENFORCE)?;
    if generation.is_some_and(|generation| condition["observedGeneration"] != generation) {
        return Some(Readiness::Waiting);
    }
    Some(match (condition["status"].as_str(), condition["reason"].as_str()) {
        (Some("True"), _) => Readiness::Ready,
        (Some("Unknown"), Some("NoDeployment")) => Readiness::Idle,
        _ => Readiness::Waiting,
    })
}

/// A persona as the process decodes it, with what its condition says.
#[derive(Clone, Debug)]
struct Read(Persona, Option<Readiness>);

impl Decode for Read {
    fn decode(json: &str) -> Result<Read, Unreadable> {
        #[derive(serde::Deserialize)]
        struct Object {
            metadata: ObjectMeta,
            spec: ApplicationPersonaSpec,
            // Any JSON, so that an unusual status does not cost the persona.
            #[serde(default)]
            status: Value,
        }
        let object: Object = from_json(json)?;
        let mut persona = ApplicationPersona::new("", object.spec);
        persona.metadata = object.metadata;
        let readiness = readiness(&object.status, persona.metadata.generation);
        Ok(Read(Persona::parse(&persona), readiness))
    }
}

/// What one ClusterPersona requires of rules, read as the process reads it.
#[derive(Clone)]
struct Required(Vec<PlatformRule>);

impl Decode for Required {
    fn decode(json: &str) -> Result<Required, Unreadable> {
        #[derive(serde::Deserialize)]
        struct Object {
            spec: ClusterRulesSpec,
        }
        Ok(Required(from_json::<Object>(json)?.spec.into_rules()))
    }
}
