//! Bad input: a clear line with what to do, and the documented exit code.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use super::{Checked, Place, deployment};

/// A run that goes wrong: arguments, exit code, how many findings, and what is said.
type Row = (&'static [&'static str], i32, usize, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        &["none.yaml"],
        2,
        0,
        &["none.yaml: No such file", "name a file or a folder"],
    ),
    (&["empty"], 2, 0, &["empty: no manifest in it"]),
    (&["k8s/*.jsonnet"], 2, 0, &["no file matches this pattern"]),
    (&["k8s/[.yaml"], 2, 0, &["no valid pattern"]),
    // The documents before the error are judged.
    (&["broken.yaml"], 2, 5, &["broken.yaml:14: "]),
    (&["broken.yaml", "--fail-on=never"], 2, 5, &["broken.yaml:14: "]),
    (&["tabs.yaml"], 2, 0, &["tabs.yaml:2: "]),
    (&["large.yaml"], 2, 0, &["larger than 16777216 bytes; split it"]),
    (&["/dev/zero"], 2, 0, &["larger than 16777216 bytes; split it"]),
    (&["aliases.yaml"], 2, 0, &["aliases.yaml:", "more than"]),
    (
        &["latin.yaml"],
        2,
        0,
        &["latin.yaml: not UTF-8 text; save the file as UTF-8"],
    ),
    (&["/proc/self/mem"], 2, 0, &["/proc/self/mem: cannot be read: "]),
    (&["loop/a.yaml"], 2, 0, &["loop/a.yaml: ", "symbolic links"]),
    (&["loop"], 2, 0, &["loop/a.yaml: cannot be read: ", "symbolic links"]),
    (
        &["links"],
        0,
        0,
        &["links/out.yaml: leads out of the folder that was named; left out"],
    ),
    (&["links/out.yaml"], 1, 5, &[]),
    (
        &["quantity.yaml"],
        2,
        0,
        &["quantity.yaml:1: Deployment orders: the API server would refuse it: "],
    ),
    // The other files are judged.
    (&["none.yaml", "good.yaml"], 2, 5, &["none.yaml: "]),
    (&["good.yaml", "./good.yaml"], 1, 5, &[]),
    (&["pipes"], 0, 0, &[]),
    (&["good.yaml", "--at=yesterday"], 2, 0, &["--at"]),
    (
        &["good.yaml", "--fail-on=all"],
        2,
        0,
        &["valid values are error, warning, never"],
    ),
    (&[], 2, 0, &["<PATH>"]),
];

fn place() -> Place {
    let place = Place::new();
    place.write("good.yaml", &deployment("orders", "1"));
    fs::create_dir(place.path().join("empty")).expect("created");
    place.write("k8s/a.yaml", "");
    place.write("broken.yaml", &format!("{}---\na: [\n", deployment("orders", "1")));
    place.write("tabs.yaml", "a:\n\tb: 1\n");
    place.write("large.yaml", &"# x\n".repeat(5 << 20));
    place.write("aliases.yaml", &format!("a: &a x\nb: [{}]\n", "*a, ".repeat(1_000_000)));
    fs::write(place.path().join("latin.yaml"), b"name: caf\xe9\n").expect("written");
    for (target, link) in [
        ("b.yaml", "loop/a.yaml"),
        ("a.yaml", "loop/b.yaml"),
        ("../good.yaml", "links/out.yaml"),
    ] {
        let link = place.path().join(link);
        fs::create_dir_all(link.parent().expect("a folder")).expect("created");
        symlink(target, link).expect("a link");
    }
    place.write("links/in.yaml", "kind: ConfigMap\n");
    place.write("quantity.yaml", &deployment("orders", "lots"));
    place.write("pipes/a.yaml", "kind: ConfigMap\n");
    let pipe = place.path().join("pipes/pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.expect("mkfifo runs").success());
    place
}

#[test]
fn bad_input_is_one_clear_line_and_the_documented_code() {
    let place = place();
    let mut wrong = Vec::new();
    for (args, code, findings, words) in ROWS {
        let checked = place.check(args);
        let said = words.iter().all(|word| checked.stderr.contains(word));
        let is_right = checked.code == Some(*code) && checked.rows().len() == *findings && said;
        if !is_right || checked.stderr.contains("panicked") {
            wrong.push(format!("{args:?}: {words:?}: {checked:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn personas_that_cannot_be_read_fail_before_anything_is_judged() {
    let place = place();
    for (personas, words) in [
        ("none", &["none"][..]),
        (
            "broken-persona.yaml",
            &["broken-persona.yaml:2: ", "correct them first"],
        ),
        (
            "wrong-persona.yaml",
            &["wrong-persona.yaml:6: spec.type", "1 problems in the personas"],
        ),
    ] {
        place.write("broken-persona.yaml", "a:\n\tb: 1\n");
        place.write("wrong-persona.yaml", &super::PERSONA.replace("type: api", "type: 7"));
        let all = ["check", "--personas", personas, "good.yaml"];
        let checked = Checked::of(&place.command(&all).output().expect("the program runs"));
        assert_eq!(
            (checked.code, checked.stdout.as_str()),
            (Some(2), ""),
            "{personas}: {checked:?}"
        );
        for word in words {
            assert!(checked.stderr.contains(word), "{word}: {checked:?}");
        }
    }
}

#[test]
fn without_personas_a_cluster_has_to_be_there() {
    let place = place();
    let kubeconfig = "\
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: a, user: {token: x}}]
";
    place.write("kubeconfig", kubeconfig);
    for (args, words) in [
        (
            &["check", "good.yaml"][..],
            &["no cluster is configured", "--kubeconfig FILE"][..],
        ),
        (
            &["check", "--kubeconfig=kubeconfig", "good.yaml"],
            &[
                "the personas of https://127.0.0.1:1 cannot be read",
                "--personas PATH takes those of files",
            ],
        ),
        (&["check", "--kubeconfig=none", "good.yaml"], &["none"]),
        (
            &["check", "--kubeconfig=kubeconfig", "--context=b", "good.yaml"],
            &["b"],
        ),
    ] {
        let checked = Checked::of(&place.command(args).output().expect("the program runs"));
        assert_eq!(
            (checked.code, checked.stdout.as_str()),
            (Some(2), ""),
            "{args:?}: {checked:?}"
        );
        assert_eq!(checked.stderr.lines().count(), 1, "{args:?}: {checked:?}");
        for word in words {
            assert!(checked.stderr.contains(word), "{word}: {checked:?}");
        }
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure_and_a_full_disk_is_one() {
    let place = place();
    let many: String = (0..2_000)
        .map(|number| format!("{}---\n", deployment(&format!("a{number}"), "1")))
        .collect();
    place.write("many.yaml", &many);
    let all = ["check", "--personas", "personas.yaml", "many.yaml"];
    let full = fs::File::options().write(true).open("/dev/full").expect("opened");
    let output = place.command(&all).stdout(full).output().expect("the program runs");
    let checked = Checked::of(&output);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    let said = "dorgu: cannot write table to standard output: No space left on device";
    assert!(
        checked.stderr.starts_with(said) && checked.stderr.lines().count() == 1,
        "{checked:?}"
    );

    let mut child = place
        .command(&all)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let checked = Checked::of(&output);
    // Its findings count, read or not.
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(1), ""), "{checked:?}");
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let place = place();
    let mut child = place
        .command(&["check", "--personas", "personas.yaml", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(deployment("orders", "1").as_bytes()).expect("written");
    drop(input);
    let checked = Checked::of(&child.wait_with_output().expect("it ends"));
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.rows().first().is_some_and(|row| row.starts_with("-:")),
        "{checked:?}"
    );
}
