//! How often the memory allocator is asked to answer one review, and that the reviews of benches and load tests are what
//! they claim. A count does not depend on the machine, so unlike a time it can be a test.

// `cfg(test)` always holds here; it tells clippy that these are tests, where a panic is the way to report.
#[cfg(test)]
#[path = "held.rs"]
mod held;
#[path = "../benches/support.rs"]
mod support;

use allocation_counter::measure;
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

/// Memory grows with what is judged and not with what is sent. What costs most is ten thousand containers in three bytes
/// each, all of them wrong; beyond that nothing is judged.
#[test]
fn a_review_takes_little_memory_whatever_stands_in_it() {
    let webhook = support::webhook(100);
    let most = |body: &str| measure(|| drop(webhook.reply(body.as_bytes()))).bytes_max;
    for shape in SHAPES {
        for variant in VARIANTS {
            let body = review(shape, variant, 7);
            let memory = most(&body);
            assert!(
                memory <= body.len() as u64,
                "{} {}: {memory}",
                shape.name,
                variant.name()
            );
        }
    }
    let body = review(SHAPES[0], Variant::Compliant, 7);
    let (before, after) = body.split_once(r#""containers":["#).expect("containers");
    for (count, bound) in [(9_999, 64), (100_000, 16)] {
        let body = format!(r#"{before}"containers":[{}{after}"#, "{},".repeat(count));
        let memory = most(&body);
        assert!(memory <= bound << 20, "{count} containers: {memory}");
    }
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
