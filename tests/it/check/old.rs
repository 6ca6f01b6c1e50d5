//! `--old`: what was there before does not count, wherever it was, and a repository runs no program.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use super::{Checked, Place, deployment};

/// Git without a user's configuration.
fn git_output(place: &Place, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    let (home, null) = (place.path(), "/dev/null");
    command.env("HOME", home).env("GIT_CONFIG_GLOBAL", null);
    command.current_dir(place.path());
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
    command.args(args).output().expect("git runs")
}

fn git(place: &Place, args: &[&str]) -> String {
    let output = git_output(place, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A repository with a Deployment in `apps/orders.yaml`, which is committed.
pub(super) fn repository() -> Place {
    let place = Place::new();
    place.write("apps/orders.yaml", &deployment("orders", "1"));
    git(&place, &["init", "--quiet", "--initial-branch=main"]);
    commit(&place);
    place
}

fn commit(place: &Place) {
    git(place, &["add", "--all"]);
    git(place, &["commit", "--quiet", "--message=x"]);
}

fn assert_says(checked: &Checked, code: i32, words: &[&str]) {
    assert_eq!(checked.code, Some(code), "{checked:?}");
    for word in words {
        assert!(checked.stderr.contains(word), "{word}: {checked:?}");
    }
}

#[test]
fn what_a_revision_had_does_not_count_wherever_its_file_is_now() {
    let place = repository();
    place.write("apps/gone.yaml", &deployment("gone", "1"));
    let pair = format!("{}---\n{}", deployment("a", "1"), deployment("b", "1"));
    place.write("apps/pair.yaml", &pair);
    commit(&place);
    let check = || place.check(&["--old", "git:HEAD", "apps"]);
    assert_eq!(place.check(&["apps"]).code, Some(1), "without it they count");
    assert_eq!(check().code, Some(0), "unchanged");

    git(&place, &["mv", "apps/orders.yaml", "apps/renamed.yaml"]);
    fs::remove_file(place.path().join("apps/gone.yaml")).expect("removed");
    place.write("apps/pair.yaml", &deployment("a", "1"));
    place.write("apps/deep/b.yaml", &deployment("b", "1"));
    let moved = check();
    assert_eq!(moved.code, Some(0), "renamed, deleted, split: {moved:?}");
    // It is reported all the same.
    assert!(moved.stdout.contains("apps/renamed.yaml:12:"), "{moved:?}");

    place.write("apps/renamed.yaml", &deployment("orders", "900m"));
    assert_eq!(check().code, Some(0), "less than before, and still too much");
    place.write("apps/renamed.yaml", &deployment("orders", "2"));
    assert_eq!(check().code, Some(1), "made worse");
    place.write("apps/renamed.yaml", &deployment("orders", "1"));
    place.write("apps/new.yaml", &deployment("new", "1"));
    assert_eq!(check().code, Some(1), "a new object");
    assert_eq!(place.check(&["--old", "git:HEAD", "apps/renamed.yaml"]).code, Some(0));

    // The same with a folder in place of a revision.
    git(&place, &["worktree", "add", "--quiet", ".git/before", "HEAD"]);
    let before = [".git/before/apps", "apps"];
    assert_eq!(place.check(&["--old", before[0], "apps/renamed.yaml"]).code, Some(0));
    assert_eq!(place.check(&["--old", before[0], before[1]]).code, Some(1));
}

#[test]
fn an_overlay_is_compared_with_itself() {
    let place = repository();
    place.write("overlays/dev/orders.yaml", &deployment("orders", "4"));
    place.write("overlays/prod/orders.yaml", &deployment("orders", "1"));
    commit(&place);
    let check = || place.check(&["--old", "git:main", "overlays/prod"]).code;
    assert_eq!(check(), Some(0));
    place.write("overlays/prod/orders.yaml", &deployment("orders", "2"));
    assert_eq!(check(), Some(1), "less than dev has");
}

#[test]
fn a_revision_that_cannot_be_read_is_one_line_with_what_to_do() {
    let place = repository();
    let old = |reference: &str| place.check(&["--old", reference, "apps"]);
    for reference in ["no-such", "-x", "--help", "--output=x", "", "HEAD:apps", "main..main"] {
        let checked = old(&format!("git:{reference}"));
        assert_says(&checked, 2, &["no revision", "fetch it first"]);
        assert_eq!(checked.stderr.lines().count(), 1, "{checked:?}");
    }
    assert_says(&old("apps/none.yaml"), 2, &["apps/none.yaml"]);
    for (args, word) in [
        (&["--old", "git:HEAD", "-"][..], "standard input is in no repository"),
        (&["--old", "-", "-"], "read once"),
    ] {
        assert_says(&place.check(args), 2, &[word]);
    }
    let elsewhere = Place::new();
    elsewhere.write("apps/orders.yaml", &deployment("orders", "1"));
    let checked = elsewhere.check(&["--old", "git:HEAD", "apps"]);
    assert_says(&checked, 2, &["is in no Git repository", "--old PATH"]);
    // A tag and a hash are revisions, too.
    git(&place, &["tag", "v1"]);
    let hash = git(&place, &["rev-parse", "HEAD"]);
    for reference in ["v1", "HEAD~0", "@", &hash, &hash[..12]] {
        assert_eq!(old(&format!("git:{reference}")).code, Some(0), "{reference}");
    }
    let mut without = place.command(&["check", "--personas", "personas.yaml", "--old", "git:HEAD", "apps"]);
    let without = Checked::of(&without.env("PATH", "/nowhere").output().expect("the program runs"));
    assert_says(&without, 2, &["needs git, which cannot be run"]);
}

#[test]
fn what_is_no_manifest_of_the_revision_is_named_or_passed_over() {
    let place = repository();
    place.write(
        "apps/large.yaml",
        &format!("# {}\n{}", "x".repeat(17 << 20), deployment("large", "1")),
    );
    place.write("apps/latin.yaml", "");
    fs::write(place.path().join("apps/latin.yaml"), b"name: caf\xe9\n").expect("written");
    place.write("apps/broken.yaml", &format!("{}---\na: [\n", deployment("broken", "1")));
    place.write("apps/notes.txt", "a: [\n");
    symlink("/etc/hostname", place.path().join("apps/link.yaml")).expect("a link");
    // A submodule, as the index holds one.
    let hash = git(&place, &["rev-parse", "HEAD"]);
    git(&place, &["add", "--all"]);
    let entry = format!("160000,{hash},vendor/theirs");
    git(&place, &["update-index", "--add", "--cacheinfo", &entry]);
    git(&place, &["commit", "--quiet", "--message=x"]);
    for file in ["large", "latin", "link", "broken"] {
        fs::remove_file(place.path().join(format!("apps/{file}.yaml"))).expect("removed");
    }
    place.write("apps/moved.yaml", &deployment("broken", "1"));
    let checked = place.check(&["--old", "git:HEAD", "apps"]);
    assert_says(
        &checked,
        0,
        &[
            "apps/large.yaml: larger than 16777216 bytes",
            "apps/latin.yaml: not UTF-8",
            "1 submodules, such as vendor/theirs, are not read",
            "apps/broken.yaml: ",
            "what follows counts as new",
        ],
    );
    assert!(
        !checked.stderr.contains("link.yaml") && !checked.stderr.contains("notes"),
        "{checked:?}"
    );
}

#[test]
fn a_thousand_files_ask_git_once() {
    let place = repository();
    let files: Vec<String> = (0..300).map(|number| format!("apps/{number}/a.yaml")).collect();
    for file in &files {
        place.write(file, "kind: ConfigMap\n");
    }
    let bin = place.path().join("bin");
    fs::create_dir(&bin).expect("created");
    let log = place.path().join("calls");
    let script = format!(
        "#!/bin/sh\necho >> {}\nPATH=${{PATH#*:}} exec git \"$@\"\n",
        log.display()
    );
    write_program(&bin.join("git"), &script);
    let mut args = vec!["check", "--personas", "personas.yaml", "--old", "git:HEAD"];
    args.extend(files.iter().map(String::as_str));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let output = place
        .command(&args)
        .env("PATH", path)
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", Checked::of(&output));
    assert_eq!(fs::read_to_string(log).expect("calls").lines().count(), 3);
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, script).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
}

/// A repository that runs a program wherever its configuration can name one, and the file that each run leaves.
fn hostile() -> (Place, std::path::PathBuf) {
    let place = repository();
    let ran = place.path().join("ran");
    let program = place.path().join("evil");
    write_program(
        &program,
        &format!("#!/bin/sh\necho \"$@\" >> {}\nexit 1\n", ran.display()),
    );
    place.write(".gitattributes", "*.yaml diff=evil filter=evil\n");
    commit(&place);
    let hooks = place.path().join(".git/hooks");
    fs::create_dir_all(&hooks).expect("created");
    for hook in [
        "post-index-change",
        "reference-transaction",
        "pre-auto-gc",
        "post-checkout",
        "fsmonitor-watchman",
    ] {
        write_program(&hooks.join(hook), &format!("#!/bin/sh\n{} hook\n", program.display()));
    }
    let evil = program.to_str().expect("text").to_owned();
    let shell = format!("!{evil}");
    let external = format!("ext::{evil} %S");
    for (key, value) in [
        ("core.fsmonitor", &evil),
        ("core.pager", &evil),
        ("core.sshCommand", &evil),
        ("core.gitProxy", &evil),
        ("core.askPass", &evil),
        ("core.editor", &evil),
        ("core.alternateRefsCommand", &evil),
        ("pager.ls-tree", &evil),
        ("pager.cat-file", &evil),
        ("pager.rev-parse", &evil),
        ("alias.ls-tree", &shell),
        ("alias.rev-parse", &shell),
        ("alias.cat-file", &shell),
        ("diff.external", &evil),
        ("diff.evil.textconv", &evil),
        ("diff.evil.command", &evil),
        ("filter.evil.smudge", &evil),
        ("filter.evil.clean", &evil),
        ("filter.evil.process", &evil),
        ("credential.helper", &evil),
        ("gpg.program", &evil),
        ("uploadpack.packObjectsHook", &evil),
        ("protocol.ext.allow", &"always".to_owned()),
        ("protocol.allow", &"always".to_owned()),
        ("remote.origin.url", &external),
        ("remote.origin.promisor", &"true".to_owned()),
        ("core.repositoryFormatVersion", &"1".to_owned()),
        ("extensions.partialClone", &"origin".to_owned()),
    ] {
        git(&place, &["config", key, value]);
    }
    let _ = fs::remove_file(&ran);
    (place, ran)
}

#[test]
fn a_repository_runs_no_program() {
    let (place, ran) = hostile();
    git_output(&place, &["status"]);
    assert!(ran.exists(), "the traps do not work");
    fs::remove_file(&ran).expect("removed");
    let trace = place.path().join("trace");
    let mut command = place.command(&["check", "--personas", "personas.yaml", "--old", "git:HEAD", "apps"]);
    let evil = place.path().join("evil");
    command
        .envs([("GIT_DIR", "/nowhere"), ("GIT_CONFIG_COUNT", "1")])
        .envs([("GIT_CONFIG_KEY_0", "core.bare"), ("GIT_CONFIG_VALUE_0", "true")])
        .env("GIT_TRACE", &trace)
        .env("GIT_EXEC_PATH", place.path())
        .envs(["GIT_SSH_COMMAND", "GIT_PAGER", "GIT_EXTERNAL_DIFF", "GIT_ASKPASS"].map(|name| (name, &evil)));
    let checked = Checked::of(&command.output().expect("the program runs"));
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(!ran.exists(), "{:?}", fs::read_to_string(&ran));
    assert!(!trace.exists());
}

#[test]
fn a_partial_clone_fetches_nothing() {
    let (place, ran) = hostile();
    let blob = git(&place, &["rev-parse", "HEAD:apps/orders.yaml"]);
    let object = format!(".git/objects/{}/{}", &blob[..2], &blob[2..]);
    fs::remove_file(place.path().join(object)).expect("removed");
    git_output(&place, &["cat-file", "-p", &blob]);
    assert!(ran.exists(), "the trap does not work");
    fs::remove_file(&ran).expect("removed");
    let checked = place.check(&["--old", "git:HEAD", "apps"]);
    assert!(!ran.exists(), "{:?}", fs::read_to_string(&ran));
    // By Git's version it is an error, or the file is named and counts as new.
    match checked.code {
        Some(2) => assert_says(&checked, 2, &["partial clone", "fetch without --filter"]),
        _ => assert_says(&checked, 1, &["apps/orders.yaml: this clone lacks it"]),
    }
}

#[test]
fn a_folder_that_looks_like_a_repository_is_none() {
    let place = repository();
    // A change could bring a history in which everything was there before.
    place.write("apps/orders.yaml", &deployment("orders", "4"));
    commit(&place);
    let bare = place.path().join("apps");
    let other = repository();
    other.write("apps/orders.yaml", &deployment("orders", "9"));
    commit(&other);
    for name in ["HEAD", "config"] {
        fs::copy(other.path().join(".git").join(name), bare.join(name)).expect("copied");
    }
    for name in ["objects", "refs"] {
        let (from, to) = (other.path().join(".git").join(name), bare.join(name));
        let status = Command::new("cp").arg("-r").args([from, to]).status().expect("cp runs");
        assert!(status.success());
    }
    place.write("apps/orders.yaml", &deployment("orders", "8"));
    assert_ne!(
        place.check(&["--old", "git:main", "apps"]).code,
        Some(0),
        "8 is more than 4"
    );
}
