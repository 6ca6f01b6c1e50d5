//! Benchmarks of the decision alone, without network: `cargo bench`. Each group answers one question.
//!
//! Times vary with the machine. Only figures that `loadtest/run` prints beside a peer's in the same run may be quoted.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up ends")]

#[path = "support.rs"]
mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dorgu::policy::answer::{Help, message, warnings};
use dorgu::policy::decide;
use dorgu::policy::quantity::Quantity;
use dorgu::webhook::answer::Answer;
use dorgu::webhook::review::{Review, Version};
use support::payloads::{SHAPES, VARIANTS, Variant, app, namespace, review};

/// How long does reading the bytes of a review take?
fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for shape in SHAPES {
        let body = review(shape, Variant::Compliant, 7);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(shape.name, |b| {
            b.iter(|| Review::read(black_box(body.as_bytes())).expect("a review"));
        });
    }
    group.finish();
}

/// How long do the rules take, and how long the words?
fn decide_and_answer(c: &mut Criterion) {
    let webhook = support::webhook(10_000);
    for shape in SHAPES {
        for variant in VARIANTS.into_iter().filter(|variant| *variant != Variant::Miss) {
            let body = review(shape, variant, 7);
            let read = Review::read(body.as_bytes()).expect("a review");
            support::asked(&webhook, &read, |question| {
                c.bench_function(&format!("decide/{}/{}", shape.name, variant.name()), |b| {
                    b.iter(|| decide(webhook.rulebook, black_box(question)));
                });
                let decision = decide(webhook.rulebook, question);
                c.bench_function(&format!("answer/{}/{}", shape.name, variant.name()), |b| {
                    b.iter(|| {
                        let decision = black_box(&decision);
                        let answer =
                            Answer::decided(decision, message(decision, None, &Help::NONE), warnings(decision));
                        answer.to_json(Version::V1, &read.outline.uid)
                    });
                });
            })
            .expect("a persona");
        }
    }
}

/// How long does a whole review take, bytes in to bytes out, among 10,000 personas?
fn whole(c: &mut Criterion) {
    let webhook = support::webhook(10_000);
    let mut group = c.benchmark_group("whole");
    for shape in SHAPES {
        for variant in VARIANTS {
            let body = review(shape, variant, 7);
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(BenchmarkId::new(shape.name, variant.name()), |b| {
                b.iter(|| webhook.reply(black_box(body.as_bytes())));
            });
        }
    }
    group.finish();
}

/// How long does a review of many containers take where many personas share its app?
fn shared(c: &mut Criterion) {
    let mut group = c.benchmark_group("shared");
    let body = support::many_containers(5_000);
    for personas in [1, 1_000, 3_000] {
        let webhook = support::of_one_app(personas);
        group.bench_function(BenchmarkId::new("5000-containers", personas), |b| {
            b.iter(|| webhook.reply(black_box(body.as_bytes())));
        });
    }
    group.finish();
}

/// Does finding a persona grow with how many there are?
fn index(c: &mut Criterion) {
    let mut group = c.benchmark_group("index");
    for personas in [1, 10_000, 100_000] {
        let snapshot = support::snapshot(personas);
        let asked: Vec<(String, String)> = (0..personas)
            .step_by(personas.div_ceil(1000))
            .map(|number| (namespace(number), app(number)))
            .collect();
        let mut next = asked.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(personas), |b| {
            b.iter(|| {
                let (namespace, app) = next.next().expect("a cycle has no end");
                snapshot.find(black_box(namespace), black_box(app)).len()
            });
        });
    }
    group.finish();
}

/// How long does reading a quantity take?
fn quantity(c: &mut Criterion) {
    let mut group = c.benchmark_group("quantity");
    for text in ["500m", "512Mi", "1.5", "1e3", "123456789012345678901234567890"] {
        group.bench_function(text, |b| b.iter(|| Quantity::parse(black_box(text))));
    }
    group.finish();
}

criterion_group!(benches, parse, decide_and_answer, whole, shared, index, quantity);
criterion_main!(benches);
