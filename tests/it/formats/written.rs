//! `-o FORMAT` and `-o FORMAT=FILE`, and what stands in the files afterwards.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use dorgu::report::{Format, Output, Outputs, Report, View, Written, render, step_summary, write};
use tempfile::TempDir;

use super::sample;

fn outputs(given: &[&str]) -> Result<Outputs, String> {
    let given: Result<Vec<Output>, String> = given.iter().map(|text| text.parse()).collect();
    Outputs::try_from(given?)
}

#[test]
fn formats_and_places_are_parsed_and_each_place_is_used_once() {
    assert_eq!(outputs(&[]), Ok(Outputs::default()));
    assert_eq!(outputs(&[]).expect("a table").to_stdout(), Some(Format::Table));
    for format in Format::ALL {
        let word = format.as_str();
        assert_eq!(outputs(&[word]).expect(word).to_stdout(), Some(format));
        assert_eq!(outputs(&[&format!("{word}=-")]).expect(word).to_stdout(), Some(format));
        let file = outputs(&[&format!("{word}=a=b.txt")]).expect(word);
        assert_eq!(file.to_stdout(), None);
        let file: Vec<&Output> = file.iter().collect();
        assert_eq!(
            (file[0].format, file[0].file.as_deref()),
            (format, Some(Path::new("a=b.txt")))
        );
    }
    let both = outputs(&["sarif=a.sarif", "github"]).expect("both");
    assert_eq!(
        (
            both.iter().count(),
            both.contains(Format::Sarif),
            both.contains(Format::Json)
        ),
        (2, true, false)
    );

    let wrong = |given: &[&str]| outputs(given).expect_err("wrong");
    let all = "table, wide, json, yaml, sarif, junit, github, gitlab, markdown";
    let unknown = format!("there is no format \"sarf\"; there are {all}, each also as FORMAT=FILE");
    assert_eq!(wrong(&["sarf"]), unknown);
    assert_eq!(wrong(&["json="]), "there is no file after json=");
    assert_eq!(
        wrong(&["json", "yaml=a", "github=-"]),
        "json and github are both for standard output; write one into a file: -o github=FILE"
    );
    assert_eq!(
        wrong(&["json=./a", "yaml=a"]),
        "json and yaml are both to be written to a; name another file"
    );
}

/// Writes the sample.
fn written(given: &[String], page: Option<&Path>, stdout: &mut dyn Write) -> Written {
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let outputs = outputs(&given).expect("formats");
    write(&sample::all_kinds(), &outputs, View::default(), page, stdout)
}

fn wanted(format: Format) -> String {
    render(&sample::all_kinds(), format, View::default())
        .expect("text")
        .text
}

#[test]
fn every_format_of_a_run_goes_to_its_place() {
    let folder = TempDir::new().expect("a folder");
    let file = |format: Format| folder.path().join(format.as_str());
    let given: Vec<String> = Format::ALL
        .into_iter()
        .filter(|format| *format != Format::Github)
        .map(|format| format!("{}={}", format.as_str(), file(format).display()))
        .chain(["github".to_owned()])
        .collect();
    let page = folder.path().join("summary");
    fs::write(&page, "from another program\n").expect("written");
    let mut stdout = Vec::new();
    assert_eq!(written(&given, Some(&page), &mut stdout), Written::default());
    assert_eq!(String::from_utf8(stdout).expect("text"), wanted(Format::Github));
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Github) {
        assert_eq!(
            fs::read_to_string(file(format)).expect("a file"),
            wanted(format),
            "{}",
            format.as_str()
        );
    }
    let summary = step_summary(&sample::all_kinds(), View::default()).text;
    assert_eq!(
        fs::read_to_string(&page).expect("a page"),
        format!("from another program\n{summary}")
    );
    // Nothing else is left behind.
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 9);
}

#[test]
fn the_page_of_the_step_is_for_the_format_github_alone() {
    let folder = TempDir::new().expect("a folder");
    let page = folder.path().join("summary");
    written(&["json".to_owned()], Some(&page), &mut Vec::new());
    assert!(!page.exists());
}

#[test]
fn a_file_keeps_its_mode_and_a_link_stays_a_link() {
    let folder = TempDir::new().expect("a folder");
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "old").expect("written");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).expect("set");
    symlink(&target, &link).expect("a link");
    assert_eq!(
        written(&[format!("json={}", link.display())], None, &mut Vec::new()),
        Written::default()
    );
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&target).expect("a file"), wanted(Format::Json));
    assert_eq!(
        fs::metadata(&target).expect("a file").permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn a_full_disk_is_one_line_and_the_other_formats_are_written() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("a.json");
    let given = [
        "yaml=/dev/full".to_owned(),
        format!("json={}", file.display()),
        "table".to_owned(),
    ];
    let mut stdout = Vec::new();
    let written = written(&given, None, &mut stdout);
    assert_eq!(
        written.failures,
        ["cannot write yaml to /dev/full: No space left on device (os error 28)"]
    );
    assert_eq!(fs::read_to_string(&file).expect("a file"), wanted(Format::Json));
    assert_eq!(String::from_utf8(stdout).expect("text"), wanted(Format::Table));
}

#[test]
fn a_file_that_cannot_be_written_is_left_as_it_was() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("missing/a.json");
    let failures = written(&[format!("json={}", path.display())], None, &mut Vec::new()).failures;
    let line = format!(
        "cannot write json to {}: No such file or directory (os error 2)",
        path.display()
    );
    assert_eq!(failures, [line]);

    // The rename is what fails: the new text is complete beside it, and goes.
    let taken = folder.path().join("taken.json");
    let beside = folder.path().join(format!("taken.json.{}.tmp", std::process::id()));
    fs::write(&taken, "old").expect("written");
    fs::write(&beside, "of another process").expect("written");
    let failures = written(&[format!("json={}", taken.display())], None, &mut Vec::new()).failures;
    assert_eq!(
        failures,
        [format!(
            "cannot write json to {}: {} is in the way; remove it",
            taken.display(),
            beside.display()
        )]
    );
    assert_eq!(fs::read_to_string(&taken).expect("a file"), "old");
    assert_eq!(fs::read_to_string(&beside).expect("a file"), "of another process");
}

/// Standard output that fails.
struct Failing(ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_no_failure_and_a_full_one_is() {
    let given = ["table".to_owned()];
    assert_eq!(
        written(&given, None, &mut Failing(ErrorKind::BrokenPipe)),
        Written::default()
    );
    let full = written(&given, None, &mut Failing(ErrorKind::StorageFull));
    assert_eq!(
        full.failures,
        ["cannot write table to standard output: no storage space"]
    );
}

#[test]
fn what_is_left_out_is_a_note() {
    let folder = TempDir::new().expect("a folder");
    let (file, page) = (folder.path().join("a.sarif"), folder.path().join("summary"));
    let outputs = outputs(&[&format!("sarif={}", file.display()), "github"]).expect("formats");
    let written = write(
        &sample::many(30_000),
        &outputs,
        View::default(),
        Some(&page),
        &mut Vec::new(),
    );
    assert_eq!(written.failures, [""; 0]);
    let sarif = format!(
        "{}: 5000 findings left out, since more is not accepted there",
        file.display()
    );
    assert_eq!(written.notes[0], sarif);
    assert!(
        written.notes[1].starts_with(&format!("the step summary {}: ", page.display())),
        "{:?}",
        written.notes
    );
}

#[test]
fn quiet_shows_what_counts() {
    let quiet = View {
        quiet: true,
        ..View::default()
    };
    let mut text = Vec::new();
    write(&sample::all_kinds(), &Outputs::default(), quiet, None, &mut text);
    let text = String::from_utf8(text).expect("text");
    assert!(
        text.contains("   error   ") && !text.contains("   warning   ") && !text.contains(" there before"),
        "{text}"
    );
    let mut text = Vec::new();
    write(
        &Report {
            findings: Vec::new(),
            ..sample::many(0)
        },
        &Outputs::default(),
        quiet,
        None,
        &mut text,
    );
    assert_eq!(text, b"");
}
