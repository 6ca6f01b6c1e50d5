//! What needs no cluster opens no socket, and runs where no network is.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use super::Place;
use crate::bed::{skip, skip_without_rights};

/// Ends with SIGSYS at the first socket, by a seccomp filter, and then runs its arguments.
const WITHOUT_SOCKETS: &str = "
import ctypes, os, platform, struct, sys
architecture, number = {'x86_64': (0xC000003E, 41), 'aarch64': (0xC00000B7, 198)}[platform.machine()]
kill, allow = 0x80000000, 0x7FFF0000
steps = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (6, 0, 0, kill),
         (0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, kill), (6, 0, 0, allow)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    sys.exit(f'no filter: {os.strerror(ctypes.get_errno())}')
os.execv(sys.argv[1], sys.argv[1:])
";
const SIGSYS: i32 = 31;

/// Commands that keep the promise, and their exit codes.
const COMMANDS: &[(&[&str], i32)] = &[
    (&["check", "--personas", "personas.yaml", "apps"], 1),
    (&["check", "--personas", "personas.yaml", "--old", "apps", "apps"], 0),
    (
        &["check", "--personas", "personas.yaml", "--old", "git:HEAD", "apps"],
        0,
    ),
    (
        &[
            "check",
            "--personas",
            "personas.yaml",
            "--fail-on=never",
            "--docs-url=https://x.example",
            "apps",
        ],
        0,
    ),
    (&["explain"], 0),
    (&["explain", "run-as-non-root"], 0),
    (&["version"], 0),
];

fn place() -> Place {
    let place = super::old::repository();
    place.write("kubeconfig", "{current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]}\n");
    place
}

/// Runs the program by way of another, in the folder and environment that [`Place::command`] gives it.
fn by_way_of(place: &Place, program: &str, before: &[&str], args: &[&str]) -> std::io::Result<Output> {
    let inner = place.command(args);
    let mut command = Command::new(program);
    command.args(before).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) if name != "HOME" => command.env(name, value),
            Some(_) => &mut command,
            None => command.env_remove(name),
        };
    }
    let variables = [("KUBECONFIG", place.path().join("kubeconfig"))];
    command
        .envs(variables)
        .current_dir(place.path())
        .stdin(Stdio::null())
        .output()
}

#[test]
fn no_socket_is_opened() {
    let place = place();
    let run = |args: &[&str]| by_way_of(&place, "python3", &["-c", WITHOUT_SOCKETS], args);
    let with_a_cluster = match run(&["check", "apps"]) {
        Ok(output) => output,
        Err(error) => {
            skip::<()>(&format!("python3 cannot be run: {error}"));
            return;
        }
    };
    let said = String::from_utf8_lossy(&with_a_cluster.stderr).into_owned();
    if said.contains("no filter") {
        skip_without_rights::<()>(&format!("seccomp filters are not allowed here: {said}"));
        return;
    }
    assert_eq!(
        with_a_cluster.status.signal(),
        Some(SIGSYS),
        "the filter does not work: {said}"
    );
    for (args, code) in COMMANDS {
        let output = run(args).expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{args:?}: {:?}: {said}",
            output.status
        );
    }
}

#[test]
fn a_machine_without_a_network_is_enough() {
    let place = place();
    let run = |args: &[&str]| by_way_of(&place, "unshare", &["--map-root-user", "--net"], args);
    let works = Command::new("unshare")
        .args(["--map-root-user", "--net", "true"])
        .status();
    if !works.is_ok_and(|status| status.success()) {
        skip_without_rights::<()>("no network namespace can be made here");
        return;
    }
    for (args, code) in COMMANDS {
        let output = run(args).expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{args:?}: {:?}: {said}",
            output.status
        );
    }
}
