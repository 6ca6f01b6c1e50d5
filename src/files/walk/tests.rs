//! Tests of where the walk ends.

use super::*;
use crate::files::tests::Files;

fn paths(files: &Files, walk: &Walk) -> Vec<String> {
    let root = format!("{}/", files.path("").display()).replace("//", "/");
    let paths = walk.files.iter().map(|found| found.path.display().to_string());
    paths.map(|path| path.replace(&root, "")).collect()
}

fn problems(files: &Files, walk: &Walk) -> Vec<String> {
    let root = format!("{}/", files.path("").display()).replace("//", "/");
    let problems = walk.problems.iter().map(ToString::to_string);
    problems.map(|problem| problem.replace(&root, "")).collect()
}

#[test]
fn a_walk_ends_at_its_number_of_entries_and_says_so() {
    let files = Files::new();
    for name in ["a.yaml", "b.yaml", ".hidden", "notes.txt", "sub/c.yaml"] {
        files.write(name, "");
    }
    let whole = walk(&[files.path("")], 6);
    assert_eq!(paths(&files, &whole), ["a.yaml", "b.yaml", "sub/c.yaml"]);
    assert!(!whole.cut && whole.problems.is_empty());
    let cut = walk(&[files.path("")], 5);
    assert_eq!(paths(&files, &cut), ["a.yaml", "b.yaml"]);
    assert!(cut.cut);
    assert!(problems(&files, &cut)[0].contains("more than 5 entries"), "{cut:?}");
}

#[test]
fn links_to_the_kernel_and_to_folders_above_are_named_and_not_followed() {
    let files = Files::new();
    files
        .write("shared/a.yaml", "")
        .write("root/b.yaml", "")
        .write("root/sub/c.yaml", "")
        .link("/proc", "root/proc")
        .link("/proc/self/environ", "root/environ.yaml")
        .link("/sys/kernel", "root/sub/sys")
        .link("..", "root/up")
        .link("/", "root/sub/slash")
        // Walked anyway, so not reported.
        .link(".", "root/here")
        .link("..", "root/sub/back")
        // Beside it, so not reported either.
        .link("../shared", "root/shared")
        .link("../shared/a.yaml", "root/sub/z.yaml");
    let walked = walk(&[files.path("root")], MAX_ENTRIES);
    assert_eq!(
        paths(&files, &walked),
        ["root/b.yaml", "root/shared/a.yaml", "root/sub/c.yaml"]
    );
    assert_eq!(
        problems(&files, &walked),
        [
            "root/environ.yaml: leads into /proc; it is not followed",
            "root/proc: leads into /proc; it is not followed",
            "root/sub/slash: leads to a folder above the one it is in; it is not followed",
            "root/sub/sys: leads into /sys; it is not followed",
            "root/up: leads to a folder above the one it is in; it is not followed",
        ]
    );
    assert!(walked.folders.iter().all(|folder| folder != Path::new("/")));
}

#[test]
fn a_folder_above_that_was_given_as_well_is_walked() {
    let files = Files::new();
    files.write("a.yaml", "").write("root/b.yaml", "").link("..", "root/up");
    let walked = walk(&[files.path("root"), files.path("")], MAX_ENTRIES);
    assert_eq!(paths(&files, &walked), ["root/b.yaml", "a.yaml"]);
    assert_eq!(problems(&files, &walked), [""; 0]);
}

#[test]
fn folders_deeper_than_any_sensible_ones_are_named_and_not_followed() {
    let files = Files::new();
    let deep = |levels: usize| vec!["d"; levels].join("/");
    files
        .write(&format!("{}/a.yaml", deep(MAX_DEPTH)), "")
        .write(&format!("{}/b.yaml", deep(MAX_DEPTH + 1)), "");
    let walked = walk(&[files.path("")], MAX_ENTRIES);
    assert_eq!(paths(&files, &walked), [format!("{}/a.yaml", deep(MAX_DEPTH))]);
    assert_eq!(
        problems(&files, &walked),
        [format!(
            "{}: more than {MAX_DEPTH} folders deep; it is not followed",
            deep(MAX_DEPTH + 1)
        )]
    );
}

#[test]
fn a_folder_of_the_kernel_cannot_be_given() {
    let refused = crate::files::Folder::open(&[PathBuf::from("/proc/self")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        "/proc/self: in /proc, which holds no personas; name a folder with personas in it"
    );
}
