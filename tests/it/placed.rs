//! From a finding to a place in a text: `policy` says which field, `manifest` where it stands. Tried on every Deployment of the
//! corpus and on generated ones in any style, by a persona that demands all that can be demanded. `DORGU_PLACED_DOCUMENTS` says
//! how many are generated.

// The same writer as in the tests of places, which show that the text at the place of any value is that value.
#[path = "../../crates/manifest/src/tests/write.rs"]
mod write;

use std::sync::Arc;

use dorgu::api::ApplicationPersona;
use dorgu::manifest::{self, Node};
use dorgu::policy::{
    Field, Governed, Mode, ModeWish, Persona, PlatformRules, Question, RuleSet, Rulebook, Subject, Workload, decide,
};
use serde_json::{Value, json};

use crate::cases::Case;
use crate::cluster::fixed::generate::Generator;
use crate::cluster::fixed::number;

/// Whether a plain scalar is this text.
fn is_text(text: &str) -> bool {
    let read = manifest::read(text);
    matches!(&read.documents[..], [one] if one.to_value() == json!(text))
}

fn persona() -> Persona {
    let object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona", "metadata": {"name": "strict", "namespace": "shop"},
        "spec": {
            "name": "strict", "type": "api",
            "resources": {"limits": {"cpu": "1m", "memory": "1Mi"}, "requests": {"cpu": "1m", "memory": "1Mi"}},
            "scaling": {"minReplicas": 100, "maxReplicas": 200},
            "health": {"livenessPath": "/only/this", "readinessPath": "/only/this", "port": 1},
            "policies": {
                "security": {"runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false},
                "images": {"registries": ["registry.example.com/only/this"], "denyLatest": true, "requireDigest": true},
            },
        },
    });
    let persona: ApplicationPersona = serde_json::from_value(object).expect("a persona");
    Persona::parse(&persona)
}

/// The pointers of the findings on a Deployment.
fn fields(deployment: &Value) -> Vec<String> {
    let text = deployment.to_string();
    let Ok(workload) = serde_json::from_str::<Workload<'_>>(&text) else {
        return Vec::new();
    };
    let personas = [Arc::new(persona())];
    let question = Question {
        subject: Subject::Deployment,
        new: &workload,
        governed: Governed {
            app: "strict",
            personas: personas[..].into(),
            ..Governed::default()
        },
        old: None,
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform: &PlatformRules::NONE,
    };
    let (set, mode) = (RuleSet::Complete, Mode::Enforcing);
    let decision = decide(Rulebook { set, mode }, &question);
    let found = decision
        .findings()
        .map(|found| Field::of(found.finding()).pointer.to_string());
    found.collect()
}

/// What is wrong with the place of a field of an object that stands at `base` in a document.
fn misplaced(text: &str, document: &Node, base: &str, object: &Value, field: &str) -> Option<String> {
    let found = document.nearest(&format!("{base}{field}"));
    let tokens: Vec<&str> = field.split('/').collect();
    let is_there = |left_out: usize| object.pointer(&tokens[..tokens.len() - left_out].join("/"));
    let place = found.node.place;
    let words = |what: &str| Some(format!("{field} at {}:{}: {what}", place.line(), place.column()));
    let Some(value) = is_there(found.missing) else {
        return words("there is no such field");
    };
    if found.missing > 0 && is_there(found.missing - 1).is_some() {
        return words("a nearer parent is there");
    }
    let alone = format!("{}{}", " ".repeat(place.column() - 1), place.text(text));
    let read = manifest::read(&alone);
    let stands = read.documents.first().map_or(Value::Null, Node::to_value);
    if read.error.is_some() || stands != *value {
        return words(&format!("{stands} instead of {value}"));
    }
    None
}

#[test]
fn every_finding_of_the_corpus_stands_at_its_field_or_the_nearest_parent() {
    let (mut findings, mut wrong) = (0, Vec::new());
    for Case { file, .. } in Case::all() {
        let text = std::fs::read_to_string(&file).expect("read");
        let read = manifest::read(&text);
        let document = read.documents.first();
        let document = document.unwrap_or_else(|| panic!("{}: {:?}", file.display(), read.error));
        let whole = document.to_value();
        let object = &whole["deployment"];
        if !object.is_object() {
            continue;
        }
        let fields = fields(object);
        findings += fields.len();
        // As it is, as JSON, and behind an anchor in a List. YAML takes fewer characters than JSON.
        let json = |value: &Value| value.to_string().replace('\u{7f}', "\\u007f");
        let list = format!("kind: List\nitems:\n- &a {}\n- *a\n", json(object));
        for (text, base) in [(text, "/deployment"), (json(&whole), "/deployment"), (list, "/items/1")] {
            let read = manifest::read(&text);
            let document = read.documents.first();
            let document = document.unwrap_or_else(|| panic!("{}: {:?}", file.display(), read.error));
            let misplaced = fields
                .iter()
                .filter_map(|field| misplaced(&text, document, base, object, field));
            wrong.extend(misplaced.map(|what| format!("{}: {what}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(findings > 1_000, "{findings}");
}

/// What is wrong with the place of a field, where the text may have any style.
fn misplaced_in_any_style(text: &str, document: &Node, base: &str, object: &Value, field: &str) -> Option<String> {
    let found = document.nearest(&format!("{base}{field}"));
    let tokens: Vec<&str> = field.split('/').collect();
    let is_there = |left_out: usize| object.pointer(&tokens[..tokens.len() - left_out].join("/"));
    let place = found.node.place;
    let words = |what: &str| {
        let (line, column) = (place.line(), place.column());
        Some(format!("{field} at {line}:{column}: {what}\n{text}"))
    };
    if is_there(found.missing) != Some(&found.node.to_value()) {
        return words("another value is there");
    }
    if found.missing > 0 && is_there(found.missing - 1).is_some() {
        return words("a nearer parent is there");
    }
    let alone = place.text(text);
    if alone.is_empty() && found.node.to_value() != Value::Null {
        return words("no text is there");
    }
    // What has a style of its own, or uses an anchor of another line, cannot be read alone.
    let is_plain = alone.starts_with(|first: char| first.is_ascii_alphanumeric() || "\"'{[".contains(first));
    if !is_plain || alone.contains('*') || alone.contains(['\n', '\r']) || alone.contains(": ") {
        return None;
    }
    let read = manifest::read(alone);
    let stands = read.documents.first().map_or(Value::Null, Node::to_value);
    (stands != found.node.to_value()).then(|| words(&format!("{stands} is there")))?
}

#[test]
fn every_finding_of_generated_documents_stands_at_its_place_in_any_style() {
    let documents = number("DORGU_PLACED_DOCUMENTS").unwrap_or(80) as u64;
    let mut generator = Generator::new(20_261_130, "shop");
    let (mut findings, mut wrong) = (0, Vec::new());
    for number in 0..documents {
        let question = generator.question(number);
        let object = match question.stored {
            Some(stored) if question.object["kind"] == "Scale" => stored,
            _ => question.object,
        };
        let fields = fields(&object);
        findings += fields.len();
        let map = object.as_object().expect("a Deployment");
        // Other styles for each document; the first has the simplest.
        let choices: Vec<u8> = (0..400)
            .map(|position| (number * 31 + position * position * 7) as u8)
            .collect();
        let choices = if number == 0 { &[][..] } else { &choices };
        let block = write::lines(map, 0, choices);
        let lower = format!("# moved\n\n# down\n---\n{block}");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [{}, &object]});
        let list = write::lines(list.as_object().expect("a List"), 0, choices);
        let anchored = format!(
            "kind: List\nitems:\n- &one {}\n- *one\n",
            object.to_string().replace('\u{7f}', "\\u007f")
        );
        let json = object.to_string().replace('\u{7f}', "\\u007f");
        let texts = [
            (write::dressed(&block, number as u8), ""),
            (lower, ""),
            (list, "/items/1"),
            (anchored, "/items/1"),
            (json, ""),
        ];
        for (text, base) in texts {
            let read = manifest::read(&text);
            let document = read.documents.last();
            let document = document.unwrap_or_else(|| panic!("{text}\n{:?}", read.error));
            let misplaced = fields
                .iter()
                .filter_map(|field| misplaced_in_any_style(&text, document, base, &object, field));
            wrong.extend(misplaced);
        }
    }
    assert!(wrong.is_empty(), "{} wrong, such as {}", wrong.len(), wrong[0]);
    assert!(findings as u64 > 8 * documents, "{findings}");
}
