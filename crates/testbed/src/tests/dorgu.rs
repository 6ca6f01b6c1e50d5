//! The handle on the process under test, with shell scripts that print what `dorgu serve` prints.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tempfile::TempDir;

use super::super::Registration;
use super::super::dorgu::{Dorgu, serve};
use super::runs;

fn script(text: &str) -> Dorgu {
    Dorgu::launch(
        Path::new("sh"),
        &["-c", text],
        &[("GREETING", "hello")],
        TempDir::new().unwrap(),
    )
}

const SERVES: &str = "
trap '(sleep 0.2; echo drained >&2) & exit 3' TERM
echo 'probes listening on http://127.0.0.1:2'
echo 'metrics listening on http://127.0.0.1:3/metrics'
echo \"$GREETING\" >&2
echo 'webhook listening on https://127.0.0.1:1/validate-deployment'
while :; do sleep 0.01; done";

#[test]
fn addresses_are_known_as_soon_as_they_are_printed() {
    let process = script(SERVES);
    assert_eq!(process.webhook_url(), "https://127.0.0.1:1/validate-deployment");
    assert_eq!(process.probes_url(), "http://127.0.0.1:2");
    assert_eq!(process.metrics_url(), "http://127.0.0.1:3/metrics");
    assert_eq!(process.stdout().len(), 3);
    process.wait_for_line("a greeting", |line| line == "hello");
    assert_eq!(process.stderr(), ["hello"]);
}

#[test]
fn a_signal_arrives_and_the_last_line_and_the_exit_code_come_back() {
    let mut process = script(SERVES);
    process.webhook_url();
    assert_eq!(process.stop().code(), Some(3));
    assert_eq!(process.lines().last().map(String::as_str), Some("drained"));
    assert_eq!(process.stop().code(), Some(3), "stopping twice is harmless");
}

#[test]
fn kill_and_drop_leave_no_process() {
    let mut killed = script(SERVES);
    killed.kill();
    assert!(!runs(killed.pid()));
    let dropped = script(SERVES);
    let pid = dropped.pid();
    assert!(runs(pid));
    drop(dropped);
    assert!(!runs(pid));
}

#[test]
fn a_process_that_ends_before_it_serves_is_quoted() {
    let process = script("echo 'error: --webhook-mode Enforcing: one of advisory, enforcing' >&2; exit 2");
    let panic = catch_unwind(AssertUnwindSafe(|| process.webhook_url())).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "it ended without the line 'webhook listening on'; it said:\n\
         error: --webhook-mode Enforcing: one of advisory, enforcing"
    );
}

#[test]
fn a_registration_points_at_the_process_and_trusts_its_ca() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    let late = "echo 'webhook listening on https://127.0.0.1:1/validate-deployment'; cd \"$FOLDER\"; printf '%s' \
        '-----BEGIN CERTIFICATE-----' > ca.pem; sleep 0.1; echo '-----END CERTIFICATE-----' >> ca.pem";
    let process = Dorgu::launch(Path::new("sh"), &["-c", late], &[("FOLDER", &path)], folder);
    let configuration = Registration::of(&process, "team-a").configuration();
    let client = &configuration["webhooks"][0]["clientConfig"];
    assert_eq!(configuration["metadata"]["name"], "dorgu-team-a");
    assert_eq!(client["url"], "https://127.0.0.1:1/validate-deployment");
    let bundle = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    assert_eq!(client["caBundle"], bundle);
}

#[test]
fn the_built_binary_with_a_wrong_flag_ends_before_it_serves() {
    let personas = TempDir::new().unwrap();
    let wrong = ["--webhook-mode", "no-such-mode"];
    for mut process in [Dorgu::start(&wrong), Dorgu::with_personas(personas.path(), &wrong)] {
        assert_eq!(process.wait().code(), Some(2), "{:?}", process.lines());
        assert!(
            process.stderr().join(" ").contains("no-such-mode"),
            "{:?}",
            process.lines()
        );
        assert_eq!(process.stdout(), Vec::<String>::new());
    }
}

#[test]
fn every_listener_gets_a_port_of_its_own_unless_the_test_places_it() {
    let (webhook, probes, metrics) = (
        "--webhook-bind-address",
        "--health-probe-bind-address",
        "--metrics-bind-address",
    );
    let any = "127.0.0.1:0";
    assert_eq!(serve(&["-x"]), ["serve", webhook, any, probes, any, metrics, any, "-x"]);
    let mine = [webhook, "127.0.0.1:9", "--metrics-bind-address=0"];
    assert_eq!(
        serve(&mine),
        ["serve", probes, any, webhook, "127.0.0.1:9", "--metrics-bind-address=0"]
    );
}
