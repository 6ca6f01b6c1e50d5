//! The examples of docs/ci are YAML, and ask for formats that there are.

use dorgu::report::{Format, Output, Outputs};
use serde_json::Value;

fn example(name: &str) -> Value {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/ci")
        .join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_saphyr::from_str(&text).expect(name)
}

/// The formats and files of the one `dorgu check` in a text.
fn outputs(command: &str) -> Outputs {
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(words[..2], ["dorgu", "check"], "{command}");
    // pre-commit adds the files.
    let line = words.iter().copied().chain(["manifests/orders.yaml"]);
    if let Err(error) = dorgu::cli::command().try_get_matches_from(line) {
        panic!("{command}: {error}");
    }
    let given = words
        .windows(2)
        .filter(|pair| pair[0] == "-o")
        .map(|pair| pair[1].parse());
    let given: Result<Vec<Output>, String> = given.collect();
    Outputs::try_from(given.expect("formats")).expect("places")
}

/// The file of a format.
fn file(outputs: &Outputs, format: Format) -> Option<&str> {
    outputs
        .iter()
        .find(|output| output.format == format)?
        .file
        .as_deref()?
        .to_str()
}

#[test]
fn github_uploads_what_the_check_writes() {
    let workflow = example("github.yaml");
    let steps = workflow["jobs"]["check"]["steps"].as_array().expect("steps");
    let step = |name: &str| steps.iter().find(|step| step["name"] == name).expect(name);
    let outputs = outputs(step("Check")["run"].as_str().expect("a command"));
    assert_eq!(outputs.to_stdout(), Some(Format::Github));
    assert_eq!(
        file(&outputs, Format::Sarif),
        step("Upload")["with"]["sarif_file"].as_str()
    );
}

#[test]
fn gitlab_collects_what_the_check_writes() {
    let job = example("gitlab.yaml");
    let outputs = outputs(job["dorgu"]["script"][0].as_str().expect("a command"));
    let reports = &job["dorgu"]["artifacts"]["reports"];
    assert_eq!(file(&outputs, Format::Gitlab), reports["codequality"].as_str());
    assert_eq!(file(&outputs, Format::Junit), reports["junit"].as_str());
}

#[test]
fn pre_commit_prints_a_table() {
    let config = example("pre-commit.yaml");
    let hook = &config["repos"][0]["hooks"][0];
    assert_eq!(outputs(hook["entry"].as_str().expect("a command")), Outputs::default());
}
