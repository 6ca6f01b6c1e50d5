//! Compares our quantities with Go's: the same texts accepted, the same order, the same output (contract 2.6).
//!
//! Generated text goes to both; a small Go program answers for `k8s.io/apimachinery`. `DORGU_QUANTITY_CASES` and
//! `DORGU_QUANTITY_SEED` choose how many texts and which; the same seed gives the same texts.

mod generate;

use std::{
    cmp::Ordering,
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use dorgu::policy::quantity::Quantity;

use self::generate::{Case, Generator};
use crate::oracle::{self, number_from};

/// Enough to see every shape of text many times, in a few seconds.
const CASES: usize = 50_000;
const SEED: u64 = 20_260_101;
/// Texts on their way at a time.
const BATCH: usize = 10_000;
/// Differences that are printed before the test gives up.
const SHOWN: usize = 20;

#[test]
fn quantities_are_those_of_go() {
    let cases = number_from("DORGU_QUANTITY_CASES", CASES as u64) as usize;
    let seed = number_from("DORGU_QUANTITY_SEED", SEED);
    let Some(oracle) = oracle::program("quantity") else {
        return;
    };
    let start = Instant::now();
    let tally = compare(&oracle, &mut Generator::new(seed), cases);
    println!("seed {seed}: {tally:?} in {:.1?}", start.elapsed());
    let Tally {
        texts,
        accepted,
        ordered,
        equal,
        verbatim,
        differences,
    } = tally;
    assert!(
        differences.is_empty(),
        "{} of {texts} texts of seed {seed} differ; the first are\n{}",
        differences.len(),
        differences[..differences.len().min(SHOWN)].join("\n")
    );
    // The generator is held to its promise, or this test would pass on noise.
    if texts >= CASES {
        assert!(
            (texts * 2 / 5..texts * 3 / 5).contains(&accepted),
            "{accepted} of {texts} texts are quantities"
        );
        assert!(
            ordered > texts / 5 && equal > texts / 100,
            "{ordered} of {texts} compared, {equal} of them equal"
        );
        assert!(
            verbatim > texts / 100,
            "{verbatim} of {texts} are printed as written but not canonical"
        );
    }
}

/// What a run has seen.
#[derive(Debug, Default)]
struct Tally {
    texts: usize,
    accepted: usize,
    /// Compared with the text before.
    ordered: usize,
    /// Compared and found equal.
    equal: usize,
    /// Printed as written although that has a plus sign, a dot or a leading zero.
    verbatim: usize,
    differences: Vec<String>,
}

/// Sends the cases to Go, a batch at a time, and holds each answer against ours.
fn compare(oracle: &Path, generator: &mut Generator, cases: usize) -> Tally {
    let mut child = Command::new(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the helper runs");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
    let mut tally = Tally::default();
    let mut before = None;
    while tally.texts < cases && tally.differences.len() < SHOWN {
        let batch: Vec<Case> = generator.take(BATCH.min(cases - tally.texts)).collect();
        let mut lines = String::new();
        for case in &batch {
            let mark = if case.compared { "" } else { "~" };
            let text = serde_json::to_string(&case.text).expect("a string is JSON");
            writeln!(lines, "{mark}{text}").expect("a string can be written to");
        }
        thread::scope(|scope| {
            // Both pipes are short, so writing everything before reading would deadlock.
            let sending = scope.spawn(|| stdin.write_all(lines.as_bytes()).and_then(|()| stdin.flush()));
            for case in &batch {
                let theirs = answers
                    .next()
                    .expect("an answer a text")
                    .expect("the helper answers in UTF-8");
                let ours = answer(case, &mut before, &mut tally);
                if ours != theirs {
                    tally
                        .differences
                        .push(format!("{:?}: ours {ours:?}, Go's {theirs:?}", case.text));
                }
            }
            sending
                .join()
                .expect("the sender does not panic")
                .expect("the helper reads");
        });
    }
    drop(stdin);
    assert!(child.wait().expect("the helper ends").success());
    tally
}

/// Our answer in the form that `tests/bed/quantity/main.go` describes.
fn answer(case: &Case, before: &mut Option<Quantity>, tally: &mut Tally) -> String {
    tally.texts += 1;
    let previous = before.take();
    let quantity = match Quantity::parse(&case.text) {
        Ok(quantity) => quantity,
        Err(error) => return format!("!{error}"),
    };
    tally.accepted += 1;
    let order = match previous
        .filter(|_| case.compared)
        .map(|previous| quantity.cmp(&previous))
    {
        None => '?',
        Some(order) => {
            tally.ordered += 1;
            tally.equal += usize::from(order == Ordering::Equal);
            match order {
                Ordering::Less => '<',
                Ordering::Equal => '=',
                Ordering::Greater => '>',
            }
        }
    };
    let sign = match (quantity.is_zero(), quantity.is_negative()) {
        (false, true) => '-',
        (true, false) => '0',
        (false, false) => '+',
        (true, true) => '!',
    };
    let printed = quantity.to_string();
    let leading_zero = printed.trim_start_matches('-').starts_with('0') && printed != "0";
    tally.verbatim += usize::from(printed == case.text && (leading_zero || printed.contains(['+', '.'])));
    let answer = format!("{order}{sign} {printed}");
    *before = Some(quantity).filter(|_| case.compared);
    answer
}
