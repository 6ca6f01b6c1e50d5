//! Counts the instructions of a review, step by step, and of reading a file of personas. `loadtest/instructions` runs it
//! under callgrind and prints the counts. A count hardly varies with the machine or its load, so small differences are visible.
//!
//! Prints one line for each counted step, in the order in which callgrind writes its parts.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up ends")]

#[path = "support.rs"]
mod support;

use std::hint::black_box;

use dorgu::manifest;
use dorgu::policy::answer::{Help, message, warnings};
use dorgu::policy::decide;
use dorgu::webhook::answer::Answer;
use dorgu::webhook::review::{Review, Version};
use support::payloads::{SHAPES, VARIANTS, Variant, persona, review};

/// How often each step is taken while callgrind counts; `loadtest/instructions` divides by it.
const TIMES: usize = 10;

/// The only function in which callgrind counts, found by its name. What the step makes is dropped in it, too.
#[inline(never)]
fn counted_by_callgrind(step: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        step();
    }
}

/// Counts a step, once it has been taken: what is set up once in the life of a process does not count.
fn count<T>(what: &str, mut step: impl FnMut() -> T) {
    let mut step = || drop(black_box(step()));
    step();
    counted_by_callgrind(&mut step);
    println!("{what} {TIMES}");
}

fn main() {
    // What reading places may cost file mode.
    let file: Vec<String> = (0..100).map(persona).collect();
    let file = file.join("---\n");
    count(&format!("file personas {} read", file.len()), || {
        manifest::each(black_box(&file), |document| drop(black_box(document)))
    });
    let webhook = support::webhook(10_000);
    for shape in SHAPES {
        for variant in VARIANTS {
            let body = review(shape, variant, 7);
            let named = |step: &str| format!("{} {} {} {step}", shape.name, variant.name(), body.len());
            count(&named("whole"), || webhook.reply(black_box(body.as_bytes())));
            count(&named("read"), || {
                Review::read(black_box(body.as_bytes())).expect("a review")
            });
            if variant == Variant::Miss {
                continue;
            }
            let read = Review::read(body.as_bytes()).expect("a review");
            support::asked(&webhook, &read, |question| {
                count(&named("decide"), || decide(webhook.rulebook, black_box(question)));
                let decision = decide(webhook.rulebook, question);
                count(&named("answer"), || {
                    let decision = black_box(&decision);
                    let answer = Answer::decided(decision, message(decision, None, &Help::NONE), warnings(decision));
                    answer.to_json(Version::V1, &read.outline.uid)
                });
            })
            .expect("a persona");
        }
    }
}
