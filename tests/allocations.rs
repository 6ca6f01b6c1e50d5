//! Counts the allocations of one review, and checks that the reviews of benches and load tests are what they claim. A count
//! does not depend on the machine, so unlike a time it can be a test.

// `cfg(test)` is always set here. It makes clippy treat these as tests, which report by a panic.
#[cfg(test)]
#[path = "held.rs"]
mod held;
#[path = "../benches/support.rs"]
mod support;

use std::sync::Arc;

use allocation_counter::measure;
use dorgu::index::Snapshot;
use dorgu::policy::{Mode, ModeWish, Persona};
use dorgu::webhook::Webhook;
use support::payloads::{SHAPES, Shape, VARIANTS, Variant, fingerprint, review};

/// A review answered a second time: what is allocated once in the life of the process does not count.
fn allocations(webhook: &Webhook, body: &str) -> u64 {
    let first = webhook.reply(body.as_bytes());
    let mut second = Vec::new();
    let measured = measure(|| second = webhook.reply(body.as_bytes()));
    assert_eq!(first, second);
    measured.count_total
}

/// Holds every shape to its bound. A list of containers has room for four and doubles when it has not.
fn assert_at_most(variant: Variant, bound: impl Fn(Shape) -> usize) {
    let webhook = support::webhook(100);
    let asked = SHAPES.map(|shape| {
        let growth = shape.containers.div_ceil(4).next_power_of_two().ilog2() as usize;
        let count = allocations(&webhook, &review(shape, variant, 7));
        (shape.name, count, bound(shape) + growth)
    });
    assert!(asked.iter().all(|(_, count, most)| *count <= *most as u64), "{asked:?}");
}

#[test]
fn a_compliant_review_asks_the_allocator_at_most_twice() {
    assert_at_most(Variant::Compliant, |_| 2);
}

#[test]
fn three_warnings_ask_the_allocator_at_most_eight_times() {
    assert_at_most(Variant::Warning, |_| 8);
}

#[test]
fn a_review_that_nobody_governs_asks_the_allocator_twice() {
    assert_at_most(Variant::Miss, |_| 2);
}

/// A denial is written for people, line by line, and is rare; an update reads the stored object, too.
#[test]
fn a_denial_asks_the_allocator_a_few_times_for_each_container() {
    assert_at_most(Variant::Breach, |shape| {
        12 + 3 * shape.containers + 2 * usize::from(shape.update)
    });
}

/// The most bytes that are held while a review is answered, beyond its own.
fn most(webhook: &Webhook, body: &str) -> u64 {
    measure(|| drop(webhook.reply(body.as_bytes()))).bytes_max
}

#[test]
fn a_review_of_the_usual_kind_takes_less_memory_than_its_size() {
    let webhook = support::webhook(100);
    for shape in SHAPES {
        for variant in VARIANTS {
            let body = review(shape, variant, 7);
            let memory = most(&webhook, &body);
            let name = variant.name();
            assert!(memory <= body.len() as u64, "{} {name}: {memory}", shape.name);
        }
    }
}

/// A container as small as JSON can write it, one of which everything is wrong, and one as an API server stores it.
const CONTAINERS: [&str; 3] = [
    "{}",
    r#"{"name":"c#","securityContext":{"allowPrivilegeEscalation":true,"privileged":true,"runAsUser":0,"procMount":"Unmasked"}}"#,
    r#"{"name":"c#","image":"registry.example.com/orders@sha256:52c1","resources":{},"terminationMessagePath":"/dev/log",
        "terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{"privileged":true}}"#,
];

/// A review of `count` containers. In an update, both objects have them.
fn crowded(count: usize, container: impl Fn(usize) -> String, update: bool) -> String {
    let shape = SHAPES
        .into_iter()
        .find(|shape| shape.update == update)
        .unwrap_or(SHAPES[0]);
    let containers: String = (0..count).map(|number| container(number) + ",").collect();
    let list = r#""containers":["#;
    review(shape, Variant::Compliant, 7).replace(list, &(list.to_owned() + &containers))
}

/// A webhook whose apps have two personas each, of different modes.
fn twins() -> Webhook {
    let webhook = support::webhook(0);
    let twin = |number| Persona {
        name: format!("{}-twin", support::payloads::app(number)),
        mode: ModeWish::Set(Mode::Enforcing),
        ..support::persona(number)
    };
    let personas = (0..100).flat_map(|number| [support::persona(number), twin(number)]);
    webhook.index.replace(Snapshot::build(personas.map(Arc::new), []));
    webhook
}

/// Memory is bounded by what is sent, whatever is written there: a container takes three bytes to send and thousands to
/// judge, and a list of capabilities in each of many containers is the square of either.
#[test]
fn a_review_takes_at_most_four_times_its_size_or_eight_mebibytes() {
    let (webhook, twins) = (support::webhook(100), twins());
    let mut too_much = Vec::new();
    let mut hold = |what: String, body: String| {
        let memory = most(&webhook, &body).max(most(&twins, &body));
        let bound = (4 * body.len() as u64).max(8 << 20);
        println!("{what}: {} KiB of {} KiB", memory >> 10, bound >> 10);
        if memory > bound {
            too_much.push(format!("{what}: {memory} of {bound}"));
        }
    };
    for update in [false, true] {
        for container in CONTAINERS {
            for count in [100, 500, 1_000, 2_000, 3_000, 4_380, 5_000, 5_470, 6_000, 7_500, 9_990] {
                let what = format!("{count} of {container:.20}, update: {update}");
                let numbered = |number: usize| container.replace('#', &number.to_string());
                hold(what, crowded(count, numbered, update));
            }
        }
        for (containers, added, capability) in [(1, 10_000, "ALL"), (100, 100, "ALL"), (600, 10_000, "")] {
            let list = vec![format!("\"{capability}\""); added].join(",");
            let crowd =
                |number| format!(r#"{{"name":"c{number}","securityContext":{{"capabilities":{{"add":[{list}]}}}}}}"#);
            let what = format!("{containers} with {added} capabilities, update: {update}");
            hold(what, crowded(containers, crowd, update));
        }
        // Texts that have to be copied: escaped ones, and those that are folded to be compared.
        for (containers, added, capability) in [
            (1, 9_000, "sys_admin".to_owned()),
            (3_000, 1, "cap_sys_admin".to_owned()),
            (300, 30, "\u{250}".repeat(128)),
            (300, 30, format!(r"\n{}", "x".repeat(300))),
            (900, 1, format!(r"\n{}", "x".repeat(3_000))),
        ] {
            let list = vec![format!("\"{capability}\""); added].join(",");
            let crowd =
                |number| format!(r#"{{"name":"c{number}","securityContext":{{"capabilities":{{"add":[{list}]}}}}}}"#);
            let what = format!(
                "{containers} with {added} of {} bytes, update: {update}",
                capability.len()
            );
            hold(what, crowded(containers, crowd, update));
        }
        for (containers, length) in [(2_000, 250), (5_000, 250), (3_000, 2_000)] {
            let padding = "x".repeat(length);
            let crowd = |number| {
                let (name, account) = (format!(r"{padding}\u0063{number}"), format!(r"a\\{padding}"));
                let digits = format!("1.{padding}").replace('x', "1");
                format!(
                    r#"{{"name":"{name}","resources":{{"limits":{{"cpu":"{digits}"}}}},
                        "securityContext":{{"windowsOptions":{{"runAsUserName":"{account}"}}}}}}"#
                )
            };
            let what = format!("{containers} with texts of {length} bytes, update: {update}");
            hold(what, crowded(containers, crowd, update));
        }
    }
    assert!(too_much.is_empty(), "{}", too_much.join("\n"));
}

#[test]
fn every_variant_gets_the_answer_that_its_name_says() {
    let webhook = support::webhook(100);
    for shape in SHAPES {
        for variant in VARIANTS {
            let answer = webhook.reply(review(shape, variant, 7).as_bytes());
            let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
            let response = &answer["response"];
            let warnings = response["warnings"].as_array().map_or(0, Vec::len);
            let causes = response["status"]["details"]["causes"].as_array().map_or(0, Vec::len);
            let said = (response["allowed"].as_bool(), warnings, causes);
            let wanted = match variant {
                Variant::Compliant | Variant::Miss => (Some(true), 0, 0),
                Variant::Warning => (Some(true), 3, 0),
                Variant::Breach => (Some(false), 0, shape.containers + 3),
            };
            let message = &response["status"]["message"];
            assert_eq!(said, wanted, "{} {}: {answer:#}", shape.name, variant.name());
            assert_eq!(
                message == "no matching ApplicationPersona found",
                variant == Variant::Miss,
                "{message}"
            );
        }
    }
}

/// Figures of two machines can only be compared when both asked the same.
#[test]
fn the_generated_reviews_are_the_same_everywhere() {
    let made: Vec<(usize, u64)> = SHAPES
        .into_iter()
        .map(|shape| {
            let text = review(shape, Variant::Compliant, 0);
            assert_eq!(text.len(), shape.bytes, "{}", shape.name);
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
            (text.len(), fingerprint(&text))
        })
        .collect();
    let known = [
        (9_544, 0x56e9_9094_4035_18c7),
        (20_577, 0xfe32_5464_96cc_5bdc),
        (53_643, 0x5e9f_1f38_5258_4c25),
        (229_793, 0xac47_861e_cd53_5cbe),
    ];
    assert_eq!(made, known);
}
