//! Compares our quantities with Go's: the same texts accepted, the same order, the same output (contract 2.6).
//!
//! Generated text goes to both; a small Go program answers for `k8s.io/apimachinery`. `DORGU_QUANTITY_CASES` and
//! `DORGU_QUANTITY_SEED` choose how many texts and which; the same seed gives the same texts.

mod generate;

use std::{
    cmp::Ordering,
    env,
    fmt::Write as _,
    io::{BufRead, BufReader, ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Instant, SystemTime},
};

use dorgu::policy::quantity::Quantity;

use self::generate::{Case, Generator};

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
    let oracle = match oracle() {
        Ok(oracle) => oracle,
        Err(reason) => {
            let required = env::var_os("DORGU_TESTS_MUST_NOT_SKIP").is_some();
            assert!(!required, "quantities were not compared with Go's: {reason}");
            // Not by println: the output of a test that passes is not shown.
            let line = format!("skipped: quantities were not compared with Go's: {reason}\n");
            std::io::stderr()
                .write_all(line.as_bytes())
                .expect("stderr can be written to");
            return;
        }
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

/// The Go program, built when it is missing or older than its sources; or why there is none.
fn oracle() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = root.join("tests/bed/quantity");
    let folder = root.join(".testbed/bin");
    let oracle = folder.join("quantity-oracle");
    let newest = ["main.go", "go.mod", "go.sum"]
        .map(|name| modified(&sources.join(name)).expect("a source"))
        .into_iter()
        .max();
    if modified(&oracle) >= newest {
        return Ok(oracle);
    }
    std::fs::create_dir_all(&folder).expect("the folder of the test bed can be made");
    // Renamed when complete: another test process may be building or running it.
    let unfinished = folder.join(format!("quantity-oracle.{}", std::process::id()));
    let build = Command::new("go")
        .args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-o"])
        .arg(&unfinished)
        .arg(".")
        .current_dir(&sources)
        .output();
    match build {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err("the program `go` is not installed or not in PATH".to_owned());
        }
        Err(error) => panic!("`go build` cannot be started: {error}"),
        Ok(build) => assert!(
            build.status.success(),
            "`go build` in tests/bed/quantity: {}\n{}",
            build.status,
            String::from_utf8_lossy(&build.stderr)
        ),
    }
    std::fs::rename(&unfinished, &oracle).expect("the helper can be put in its place");
    Ok(oracle)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn number_from(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{variable}={text:?} is not a number: {error}")),
        Err(env::VarError::NotPresent) => default,
        Err(error) => panic!("{variable}: {error}"),
    }
}
