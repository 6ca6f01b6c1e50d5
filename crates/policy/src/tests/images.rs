//! Demands on images: which container violates which, what is old, and what a line says.

use serde_json::{Value, json};

use super::*;
use crate::image::Registries;
use crate::persona::Images;
use crate::render::Message;

/// A digest, as an image has it.
fn digest() -> String {
    format!("@sha256:{}", "0".repeat(64))
}

fn demanding(images: Images) -> Persona {
    Persona {
        name: "orders".into(),
        images: Some(Box::new(images)),
        ..Persona::default()
    }
}

/// Demands all that can be demanded.
fn strict() -> Persona {
    demanding(Images {
        registries: Some(Registries::parse(&["ghcr.io/acme".to_owned()], |entry| {
            panic!("{entry}")
        })),
        deny_latest: true,
        require_digest: true,
    })
}

fn decided<R>(
    persona: &Persona,
    level: Option<Level>,
    set: RuleSet,
    [new, old]: [Option<&Value>; 2],
    read: impl FnOnce(&Decision<'_>) -> R,
) -> R {
    let mut platform = PlatformRules::default();
    for (name, _) in Rule::all_settable() {
        level.into_iter().for_each(|level| platform.require(name, level));
    }
    let personas = [Arc::new(persona.clone())];
    let [new, old] = [new, old].map(|object| object.map(ToString::to_string));
    let new = new.expect("an object");
    let new: Workload<'_> = serde_json::from_str(&new).expect("a Deployment");
    let governed = Governed {
        app: "orders",
        personas: personas[..].into(),
        ..Governed::default()
    };
    let stored = || serde_json::from_str(old.as_deref()?).ok();
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed,
        old: old.is_some().then_some(Old {
            governed,
            workload: &stored,
        }),
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform: &platform,
    };
    let mode = Mode::Enforcing;
    read(&decide(Rulebook { set, mode }, &question))
}

fn deployment_of(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "api", "image": image}]}}}})
}

/// The rules that deny an update from one image to another, where all deny.
fn denied(new: &Value, old: Option<&Value>) -> Vec<&'static str> {
    decided(
        &strict(),
        Some(Level::Deny),
        RuleSet::Complete,
        [Some(new), old],
        |decision| {
            let refusals = decision.refusals().iter();
            refusals.map(|attributed| attributed.finding().rule.name()).collect()
        },
    )
}

fn lines(persona: &Persona, object: &Value, set: RuleSet) -> Vec<String> {
    decided(persona, None, set, [Some(object), None], |decision| {
        let findings = decision.findings();
        findings
            .map(|attributed| Message(attributed.finding()).to_string())
            .collect()
    })
}

const ALL: [&str; 3] = ["image-registry-not-allowed", "image-tag-latest", "image-digest-missing"];

#[test]
fn every_container_is_judged_and_upstream_judges_none() {
    let object = json!({"spec": {"template": {"spec": {
        "containers": [
            {"name": "api", "image": "ghcr.io/acme/api:1".to_owned() + &digest()},
            {"name": "web", "image": "nginx"},
        ],
        "initContainers": [
            {"name": "migrate", "image": "quay.io/acme/migrate:1"},
            {"name": "proxy", "image": "ghcr.io/acme/proxy:latest", "restartPolicy": "Always"},
            {"name": "none"},
        ],
    }}}});
    let expected = [
        "[web] image nginx is not allowed; persona allows ghcr.io/acme",
        "[migrate] image quay.io/acme/migrate:1 is not allowed; persona allows ghcr.io/acme",
        "[none] image '' cannot be read; persona allows ghcr.io/acme",
        "[web] image nginx has no tag, which means latest; persona forbids latest",
        "[web] image nginx has no digest; persona requires a digest",
        "[migrate] image quay.io/acme/migrate:1 has no digest; persona requires a digest",
        "[proxy] image ghcr.io/acme/proxy:latest has the tag latest; persona forbids latest",
        "[proxy] image ghcr.io/acme/proxy:latest has no digest; persona requires a digest",
        "[none] image '' cannot be read; persona forbids latest",
        "[none] image '' cannot be read; persona requires a digest",
    ];
    assert_eq!(lines(&strict(), &object, RuleSet::Complete), expected);
    assert_eq!(lines(&strict(), &object, RuleSet::Upstream), [""; 0]);
    assert_eq!(
        lines(&demanding(Images::default()), &object, RuleSet::Complete),
        [""; 0]
    );
}

#[test]
fn an_update_is_denied_for_what_its_images_did_not_have_before() {
    let (registry, latest, digestless) = ([ALL[0]], [ALL[1]], [ALL[2]]);
    let pinned = |name: &str| format!("{name}{}", digest());
    let update = |old: &str, new: &str| denied(&deployment_of(new), Some(&deployment_of(old)));
    let good = pinned("ghcr.io/acme/api");
    assert_eq!(denied(&deployment_of("nginx"), None), ALL);
    // Where it is from.
    assert_eq!(update(&good, &pinned("nginx")), registry);
    assert_eq!(
        update(&pinned("nginx:1"), &pinned("docker.io/library/nginx:2")),
        [""; 0],
        "the same repository"
    );
    assert_eq!(
        update(&pinned("nginx"), &pinned("redis")),
        registry,
        "another one of the same registry"
    );
    assert_eq!(
        update(&pinned("quay.io/acme/api"), &pinned("evil.io/acme/api")),
        registry
    );
    assert_eq!(update(&pinned("nginx"), &good), [""; 0], "a step towards the persona");
    // The tag.
    assert_eq!(update("ghcr.io/acme/api:1", "ghcr.io/acme/api:latest"), latest);
    assert_eq!(update("ghcr.io/acme/api", "ghcr.io/acme/api:latest"), [""; 0]);
    assert_eq!(
        update("ghcr.io/acme/api:latest", "ghcr.io/acme/web"),
        [""; 0],
        "another image that was latest, too"
    );
    // The digest.
    assert_eq!(update(&good, "ghcr.io/acme/api:1"), digestless);
    assert_eq!(update("ghcr.io/acme/api:1", "ghcr.io/acme/api:2"), [""; 0]);
    // What cannot be read.
    assert_eq!(update("Not/A/Reference", "Not/A/Reference"), [""; 0]);
    assert_eq!(update("Not/A/Reference", "Not/Another"), ALL);
    assert_eq!(update(&pinned("nginx:1"), "Not/Another"), ALL);
}

#[test]
fn a_container_is_found_by_its_name_in_any_list_and_a_renamed_one_is_new() {
    let old = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "api", "image": "nginx"}],
        "initContainers": [{"name": "migrate", "image": "redis"}],
    }}}});
    let moved = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "migrate", "image": "redis"}],
        "initContainers": [{"name": "api", "image": "nginx"}],
    }}}});
    assert_eq!(denied(&moved, Some(&old)), [""; 0]);
    let renamed = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}}});
    assert_eq!(denied(&renamed, Some(&old)), ALL);
}

#[test]
fn a_line_shows_what_is_allowed_however_long_the_image_is() {
    let long = deployment_of(&format!("evil.io/{}", "a/".repeat(5_000)));
    let line = lines(&strict(), &long, RuleSet::Complete).remove(0);
    assert!(
        line.len() < 200 && line.ends_with("...' cannot be read; persona allows ghcr.io/acme"),
        "{line}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_deployed_stays_deployable_whatever_its_images(object in deployment()) {
        prop_assert_eq!(denied(&object, Some(&object)), [""; 0]);
    }
}
