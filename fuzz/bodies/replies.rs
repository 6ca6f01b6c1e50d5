//! Properties of answers.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use dorgu::index::{Index, Snapshot};
use dorgu::policy::Matching;
use dorgu::policy::{Mode, ModeWish, Persona, PlatformRules, RuleSet, Rulebook};
use dorgu::server::body::Budget;
use dorgu::webhook::review::Review;
use dorgu::webhook::{Metrics, Webhook};

use super::invent::{self, Choices};
use super::reviews;

/// Whatever is asked, and however dorgu is set, the answer is one that an API server accepts whole.
pub fn reply(body: &[u8]) {
    for webhook in WEBHOOKS.iter() {
        legal(body, &webhook.reply(body));
    }
}

/// Only the answer, for what holds it to its bounds.
pub fn answered(body: &[u8]) {
    std::hint::black_box(WEBHOOKS[0].reply(body));
}

/// A review as odd as the bytes say, read and answered; and a sound one, written in two ways, gets one answer.
pub fn invented(bytes: &[u8]) {
    let choices = &mut Choices::of(bytes);
    let review = invent::review(choices);
    if choices.perhaps() {
        let body = invent::wild(&review, choices);
        reviews::review(&body);
        return reply(&body);
    }
    let (plain, alike) = (invent::plain(&review), invent::alike(&review, choices));
    reviews::review(&alike);
    for webhook in WEBHOOKS.iter() {
        let (first, second) = (webhook.reply(&plain), webhook.reply(&alike));
        legal(&plain, &first);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(shown(&first), shown(&second), "{}\n{}", shown(&plain), shown(&alike));
    }
}

/// Contract 2.2, and what an API server passes on to people.
fn legal(body: &[u8], answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    let answer: Value = serde_json::from_slice(answer).unwrap_or_else(|error| panic!("{error}: {text}"));
    let response = &answer["response"];
    let uid = response["uid"].as_str().expect("a uid");
    let allowed = response["allowed"].as_bool().expect("a verdict");
    let code = response["status"]["code"].as_u64().expect("a code");
    let message = response["status"]["message"].as_str().expect("a message");
    assert!(response.get("patch").is_none(), "{text}");
    assert!(!message.is_empty() && !text.contains("a defect of dorgu's"), "{text}");
    assert!(
        if allowed {
            code == 200
        } else {
            matches!(code, 400 | 403 | 413)
        },
        "{text}"
    );
    assert!(
        message.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')),
        "{text}"
    );
    // What a denial says by name; upstream's rules name everything in one line.
    let lines = message.lines().count();
    assert!(lines <= 43, "{lines} lines");

    let known = Review::read(body).ok();
    match (answer.get("kind"), &known) {
        (Some(kind), _) => {
            assert_eq!(kind, "AdmissionReview");
            assert!(!uid.is_empty(), "{text}");
            if let Some(review) = &known {
                assert_eq!(uid, review.outline.uid.as_str());
                assert_eq!(answer["apiVersion"], review.outline.version.api_version());
            }
        }
        // No version and no uid: an API server takes it for a failed call. Only where there is nobody to answer to.
        (None, known) => assert!(known.is_none() && uid.is_empty() && !allowed && code == 400, "{text}"),
    }

    let complete = response.get("auditAnnotations").is_some();
    let mut length = 0;
    for warning in response["warnings"].as_array().unwrap_or(&Vec::new()) {
        let warning = warning.as_str().expect("text");
        assert!(
            !warning.is_empty() && warning.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{warning:?}"
        );
        length += warning.len();
    }
    assert!(length <= 4096 || !complete, "{length} bytes of warnings");
}

/// In every rule set, mode and matching, and among personas of every kind.
static WEBHOOKS: LazyLock<Vec<Webhook>> = LazyLock::new(|| {
    let index = |matching| {
        let index = Index::new(matching, PlatformRules::default());
        index.replace(Snapshot::build(
            personas().into_iter().map(Arc::new),
            [
                ("strict".to_owned(), ModeWish::read(Some("enforcing"))),
                ("shop".to_owned(), ModeWish::read(Some("whatever\n"))),
            ],
        ));
        Arc::new(index)
    };
    let (label, chain) = (index(Matching::Label), index(Matching::Chain));
    let mut webhooks = Vec::new();
    for set in [RuleSet::Complete, RuleSet::Upstream] {
        for (mode, index) in [
            (Mode::Enforcing, &label),
            (Mode::Enforcing, &chain),
            (Mode::Advisory, &chain),
        ] {
            let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
            webhooks.push(Webhook::new(
                Rulebook { set, mode },
                Arc::clone(index),
                metrics,
                Budget::new(64 << 20),
            ));
        }
    }
    webhooks
});

/// One that demands everything, two of one app, one that cannot be read, one that only advises.
fn personas() -> Vec<Persona> {
    let persona = |name: &str, app: &str, choices: &[u8], mode: Option<&str>| {
        let spec = invent::persona(&mut Choices::of(choices), app);
        let object = serde_json::json!({
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "metadata": {"name": name, "namespace": "shop", "annotations": mode.map(|mode| [("dorgu.io/mode", mode)].into_iter().collect::<std::collections::BTreeMap<_, _>>())},
            "spec": spec,
        });
        let object = serde_json::from_value(object).expect("a persona");
        Persona::parse(&object)
    };
    let mut all = vec![
        persona("orders", "orders", &[], None),
        persona("twin-1", "twins", &[], Some("enforcing")),
        persona("twin-2", "twins", &[0, 2, 0, 0, 4, 5, 6, 7], Some("nonsense")),
        persona("advised", "advised", &[], Some("advisory")),
    ];
    let mut odd = persona("odd", "odd", &[], None);
    odd.problems.push(dorgu::policy::persona::Problem {
        field: "spec.resources.limits.cpu",
        value: "ein Kern\n\u{1f600}".repeat(40),
        flaw: dorgu::policy::persona::Flaw::Unreadable,
    });
    all.push(odd);
    let strict = all.iter().cloned().map(|persona| Persona {
        namespace: "strict".into(),
        ..persona
    });
    let strict: Vec<Persona> = strict.collect();
    all.into_iter().chain(strict).collect()
}
