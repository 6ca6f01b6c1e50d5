//! Builds the Go programs of `tests/bed` with which ours are compared: the folder `tests/bed/NAME` becomes
//! `.testbed/bin/NAME-oracle`.

use std::{
    env,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// The program of that folder. Without one the test that asks for it skips and says so, or fails where none may skip.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    match build(name) {
        Ok(program) => Some(program),
        Err(reason) => {
            let required = env::var_os("DORGU_TESTS_MUST_NOT_SKIP").is_some();
            assert!(!required, "nothing was compared with {name}-oracle: {reason}");
            // Not by println: the output of a test that passes is not shown.
            let line = format!("skipped: nothing was compared with {name}-oracle: {reason}\n");
            std::io::stderr()
                .write_all(line.as_bytes())
                .expect("stderr can be written to");
            None
        }
    }
}

/// The program of that folder, built when it is missing or older than its sources; or why there is none.
fn build(name: &str) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = root.join("tests/bed").join(name);
    let folder = root.join(".testbed/bin");
    let oracle = folder.join(format!("{name}-oracle"));
    let newest = ["main.go", "go.mod", "go.sum"]
        .map(|name| modified(&sources.join(name)).expect("a source"))
        .into_iter()
        .max();
    if modified(&oracle) >= newest {
        return Ok(oracle);
    }
    std::fs::create_dir_all(&folder).expect("the folder of the test bed can be made");
    // Renamed when complete: another test process may be building or running it.
    let unfinished = folder.join(format!("{name}-oracle.{}", std::process::id()));
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
            "`go build` in tests/bed/{name}: {}\n{}",
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

/// A number from the environment.
pub(crate) fn number_from(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{variable}={text:?} is not a number: {error}")),
        Err(env::VarError::NotPresent) => default,
        Err(error) => panic!("{variable}: {error}"),
    }
}
