//! The largest legal requests of an API server: as many containers, or as many escaped characters, as fit, each with a finding.
//! Time is a security property here: a review that takes longer than its `timeoutSeconds` admits a Deployment unchecked.
//!
//! Bounds are processor time of a release build times [`SLACK`], on the best of some tries; the measured time is printed. That
//! the work grows linearly with the input, and not as its square, is checked at any speed.

use std::sync::Arc;
use std::time::Duration;

use dorgu::api::ApplicationPersona;
use dorgu::index::{Index, Snapshot};
use dorgu::policy::selector::Selector;
use dorgu::policy::{Mode, ModeWish, Persona, RuleSet, Rulebook};
use dorgu::server::body::Budget;
use dorgu::webhook::{BODY_LIMIT, Metrics, Webhook};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

/// For builds without optimisation, and for a busy machine.
const SLACK: u32 = if cfg!(debug_assertions) { 40 } else { 4 };
const TRIES: usize = 3;
/// A single object of an API server's largest request.
const MAX_OBJECT: usize = 3 << 20;
/// Small containers that are judged, also beside as many stored ones.
const MAX_CONTAINERS: usize = 5_000;

fn webhook() -> Webhook {
    with_personas(1)
}

/// `count` personas of one app, no two with the same demands. The modes that some of them request apply anyway, so that each
/// group is judged by itself and enforced.
fn with_personas(count: usize) -> Webhook {
    with(count, |_| None)
}

/// The same with selectors: all but the first match an object without labels beside that of the app, each in its own way.
fn with_narrowed_personas(count: usize) -> Webhook {
    with(count, |number| {
        let operator = if number == 0 { "In" } else { "NotIn" };
        Some(json!({"matchExpressions": [{"key": format!("k{number}"), "operator": operator, "values": ["v"]}]}))
    })
}

fn with(count: usize, selector: impl Fn(usize) -> Option<Value>) -> Webhook {
    let modes = [
        ModeWish::Unset,
        ModeWish::Set(Mode::Advisory),
        ModeWish::Set(Mode::Enforcing),
    ];
    let persona = |(mode, number): (&ModeWish, usize)| Persona {
        namespace: "shop".into(),
        name: format!("orders{number}"),
        app: "orders".into(),
        selector: narrowed(&selector(number)),
        mode: mode.clone(),
        min_replicas: Some(2 + i32::try_from(number % 100).expect("small")),
        liveness_path: Some(format!("/live{number}").into()),
        forbids_privilege_escalation: true,
        run_as_non_root: true,
        ..Persona::default()
    };
    let personas = modes.iter().cycle().zip(0..count).map(persona);
    let index = Arc::new(Index::default());
    index.replace(Snapshot::build(personas.map(Arc::new), []));
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Enforcing,
    };
    let metrics = Metrics::register(&mut Registry::default());
    Webhook::new(rulebook, index, metrics, Budget::new(64 << 20))
}

fn narrowed(selector: &Option<Value>) -> Option<Box<Selector>> {
    let spec = json!({"name": "orders", "type": "api", "selector": selector.as_ref()?});
    let spec = serde_json::from_value(spec).expect("a spec");
    Persona::parse(&ApplicationPersona::new("orders", spec)).selector
}

/// A Deployment of this many containers, each with a violation.
fn many(containers: usize, image: &str) -> Value {
    let container = |number: usize| {
        json!({
            "name": format!("c{number}"), "image": image,
            "securityContext": {"allowPrivilegeEscalation": true, "runAsUser": 0},
        })
    };
    let containers: Vec<Value> = (0..containers).map(container).collect();
    deployment(json!({"containers": containers}))
}

/// As many containers as possible: nothing but names.
fn bare(containers: usize) -> Value {
    let containers: Vec<Value> = (0..containers)
        .map(|number| json!({"name": format!("c{number}")}))
        .collect();
    deployment(json!({"containers": containers}))
}

fn deployment(pod: Value) -> Value {
    json!({
        "metadata": {"name": "worst", "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {"replicas": 1, "template": {"spec": pod}},
    })
}

fn with_enough_replicas(mut deployment: Value) -> Value {
    deployment["spec"]["replicas"] = json!(2);
    deployment
}

fn review(object: &Value, old: Option<&Value>) -> Vec<u8> {
    let mut request = json!({"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": object});
    if let Some(old) = old {
        request["operation"] = json!("UPDATE");
        request["oldObject"] = old.clone();
    }
    let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request});
    // As an API server's encoder does: every such character costs six bytes.
    let text = review.to_string().replace('<', "\\u003c");
    text.into_bytes()
}

/// The answer, and the least processor time it took. Other processes affect wall time, but hardly this.
fn taken(webhook: &Webhook, body: &[u8]) -> (Duration, Value) {
    taken_by(|| webhook.reply(body))
}

fn taken_by(reply: impl Fn() -> Vec<u8>) -> (Duration, Value) {
    let mut best = Duration::MAX;
    let mut answer = Vec::new();
    for _ in 0..TRIES {
        let began = processor_time();
        answer = reply();
        best = best.min(processor_time() - began);
    }
    (best, serde_json::from_slice(&answer).expect("JSON"))
}

/// The processor time of this thread so far, in nanoseconds.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel that tells");
    let spent = told.split(' ').next().and_then(|spent| spent.parse().ok());
    Duration::from_nanos(spent.expect("a number"))
}

/// Sends it, and requires a denial within this time.
fn assert_refused_within(what: &str, bound: Duration, body: &[u8]) {
    let (took, answer) = taken(&webhook(), body);
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let size = body.len() as f64 / f64::from(1 << 20);
    println!("{what}, {size:.1} MiB: {took:.1?} (bound {bound:?}, times {SLACK})");
    assert!(body.len() <= BODY_LIMIT, "{what} would not be read at all");
    assert_eq!(answer["response"]["allowed"], false, "{what}");
    assert!(took < bound * SLACK, "{what} took {took:?}");
}

#[test]
fn the_worst_legal_input_is_refused_in_time() {
    let judged = many(MAX_CONTAINERS, "i");
    assert_refused_within(
        "as many containers as are judged",
        Duration::from_millis(50),
        &review(&judged, None),
    );

    // As many as are judged, each with violations before and after, so that each finding is compared with the old one.
    let bound = Duration::from_millis(50);
    let body = review(&many(MAX_CONTAINERS, "j"), Some(&many(MAX_CONTAINERS, "i")));
    let (took, answer) = taken(&webhook(), &body);
    println!("{MAX_CONTAINERS} containers in violation before and after: {took:.1?} (bound {bound:?}, times {SLACK})");
    // The ratchet: none of them is new.
    assert_eq!(
        answer["response"]["allowed"],
        true,
        "{:.600}",
        answer["response"]["status"]["message"].to_string()
    );
    assert!(took < bound * SLACK, "{took:?}");

    // Two objects of the largest size, with more than is judged.
    let bound = Duration::from_millis(50);
    let large = review(&many(MAX_OBJECT / 100, "j"), Some(&many(MAX_OBJECT / 100, "i")));
    assert_refused_within("two objects full of containers", bound, &large);
    assert_refused_within("as many names as fit", bound, &review(&bare(MAX_OBJECT / 16), None));
    assert_refused_within(
        "as many names, before them one",
        bound,
        &review(&bare(MAX_OBJECT / 16), Some(&with_enough_replicas(bare(1)))),
    );

    let mut padded = many(1, &"<".repeat(MAX_OBJECT - 1024));
    padded["metadata"]["annotations"] = json!({"last": "<"});
    assert_refused_within("escaped characters to the limit", bound, &review(&padded, None));
}

/// Personas are free for everyone who may write them, so their number must not multiply the work of a review.
#[test]
fn personas_that_share_an_app_add_to_the_work_of_a_review_and_do_not_multiply_it() {
    assert_added_and_not_multiplied(with_personas);
}

#[test]
fn personas_that_selectors_choose_do_not_multiply_it_either() {
    assert_added_and_not_multiplied(with_narrowed_personas);
}

fn assert_added_and_not_multiplied(with: fn(usize) -> Webhook) {
    let bound = Duration::from_millis(50);
    let create = review(&many(MAX_CONTAINERS, "i"), None);
    let update = review(&many(MAX_CONTAINERS, "j"), Some(&many(MAX_CONTAINERS, "i")));
    for (what, body, allowed) in [("created", &create, false), ("updated", &update, true)] {
        let [few, most] = [1_000, 3_000].map(|personas| {
            let (took, answer) = taken(&with(personas), body);
            println!(
                "{personas} personas, {MAX_CONTAINERS} containers {what}: {took:.1?} (bound {bound:?}, times {SLACK})"
            );
            assert_eq!(answer["response"]["allowed"], allowed);
            let names = answer["response"]["auditAnnotations"]["persona"]
                .as_str()
                .unwrap_or_default();
            assert!(names.len() < 512 && names.ends_with(" more"), "{names:.600}");
            took
        });
        assert!(few < bound * SLACK, "{few:?}");
        assert!(
            most < bound * SLACK && most < few * 2,
            "{few:?}, with three times as many {most:?}"
        );
    }
}

#[test]
fn work_grows_as_the_input_does_and_not_as_its_square() {
    let webhook = webhook();
    for (what, make) in [
        ("create", (|n| review(&many(n, "i"), None)) as fn(usize) -> Vec<u8>),
        ("update", |n| review(&many(n, "j"), Some(&many(n, "i")))),
        ("update from nothing", |n| review(&many(n, "j"), Some(&many(1, "i")))),
    ] {
        let (small, large) = (make(500), make(4_000));
        // Eight small ones have as much as one large one, and enough of it to be measured.
        let [small, large] = [(small, 8), (large, 1)].map(|(body, times)| {
            let answers = || (0..times).fold(Vec::new(), |_, _| webhook.reply(&body));
            let (took, answer) = taken_by(answers);
            let message = answer["response"]["status"]["message"].as_str().unwrap_or_default();
            assert!(!message.contains("than can be judged"), "{message}");
            took.as_secs_f64()
        });
        let growth = large / small;
        println!("{what}: {growth:.2} times as long for 4,000 containers at once as for 500 eight times");
        // Its square would be 8.
        assert!(growth < 3.0, "{what}: {growth:.2} times");
    }
}
