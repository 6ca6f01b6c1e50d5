//! Tests that set a clock, a poll interval or a directory. Handshakes, and reloading under load, are in the integration tests.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::file_watch::FileWatch;
use super::*;

/// Writes a fresh self-signed pair and returns the certificate's serial number.
fn write_pair(directory: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("tls.crt"), made.cert.pem()).unwrap();
    certificate::facts(made.cert.der()).unwrap().serial
}

fn paths(directory: &TempDir) -> [std::path::PathBuf; 2] {
    ["tls.crt", "tls.key"].map(|name| directory.path().join(name))
}

/// Waits for a fact, for as long as a slow machine may take.
async fn until<T>(receiver: &mut tokio::sync::watch::Receiver<T>, holds: impl FnMut(&T) -> bool) {
    tokio::time::timeout(Duration::from_secs(20), receiver.wait_for(holds))
        .await
        .expect("it came true")
        .unwrap();
}

#[tokio::test]
async fn the_poll_alone_finds_a_new_pair() {
    let directory = tempfile::tempdir().unwrap();
    let first = write_pair(directory.path());
    let [certificate, key] = paths(&directory);
    let watch = FileWatch::polling(&[&certificate, &key], Duration::from_millis(5));
    let files = CertificateFiles::open_with(certificate, key, watch).unwrap();
    let mut facts = files.facts();
    assert_eq!(facts.borrow().serial, first);

    let running = tokio::spawn(files.run());
    let second = write_pair(directory.path());
    until(&mut facts, |facts| facts.serial == second).await;
    running.abort();
}

#[tokio::test]
async fn a_directory_that_was_itself_replaced_is_watched_again() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("certs");
    std::fs::create_dir(&directory).unwrap();
    write_pair(&directory);
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| directory.join(name));
    let mut watch = FileWatch::new(&[&certificate, &key]);

    std::fs::rename(&directory, parent.path().join("old")).unwrap();
    std::fs::create_dir(&directory).unwrap();
    // The watch on the old directory reports its move. From then on the new one is watched.
    tokio::time::timeout(Duration::from_secs(20), watch.changed())
        .await
        .unwrap();
    let began = std::time::Instant::now();
    write_pair(&directory);
    tokio::time::timeout(Duration::from_secs(20), watch.changed())
        .await
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "seen by the watch, not by the poll"
    );
}

#[tokio::test]
async fn reading_a_watched_file_is_no_change() {
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path());
    let [certificate, key] = paths(&directory);
    let mut watch = FileWatch::new(&[&certificate, &key]);
    std::fs::read(&certificate).unwrap();
    std::fs::read(&key).unwrap();
    let changed = tokio::time::timeout(Duration::from_millis(300), watch.changed()).await;
    assert!(changed.is_err(), "a reload would cause the next one for ever");
}

#[tokio::test]
async fn what_cannot_be_used_is_counted_once_and_the_old_pair_stays() {
    let directory = tempfile::tempdir().unwrap();
    let first = write_pair(directory.path());
    let [certificate, key] = paths(&directory);
    let watch = FileWatch::polling(&[&certificate, &key], Duration::from_millis(5));
    let files = CertificateFiles::open_with(certificate.clone(), key, watch).unwrap();
    let mut facts = files.facts();
    let running = tokio::spawn(files.run());

    let whole = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, &whole[..whole.len() / 2]).unwrap();
    until(&mut facts, |facts| facts.reloads.failed == 1).await;
    let other = tempfile::tempdir().unwrap();
    write_pair(other.path());
    std::fs::copy(other.path().join("tls.crt"), &certificate).unwrap();
    until(&mut facts, |facts| {
        facts
            .reloads
            .last_failure
            .as_ref()
            .is_some_and(|failure| failure.contains("is not the key of"))
    })
    .await;
    std::fs::remove_file(&certificate).unwrap();
    until(&mut facts, |facts| {
        facts
            .reloads
            .last_failure
            .as_ref()
            .is_some_and(|failure| failure.contains("does not exist"))
    })
    .await;
    let failed = facts.borrow().reloads.failed;
    // Many polls later the same error is still counted once.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(facts.borrow().reloads.failed, failed);
    assert_eq!(
        (facts.borrow().serial.as_str(), facts.borrow().reloads.succeeded),
        (first.as_str(), 0)
    );

    let second = write_pair(directory.path());
    until(&mut facts, |facts| facts.serial == second).await;
    assert_eq!(
        (
            facts.borrow().reloads.succeeded,
            facts.borrow().reloads.last_failure.as_deref()
        ),
        (1, None)
    );
    running.abort();
}

/// A leaf whose clock this test sets, checked as often as `run` would.
struct Clocked {
    now: Arc<Mutex<Timestamp>>,
    facts: tokio::sync::watch::Receiver<CertificateFacts>,
}

impl Clocked {
    fn start() -> Clocked {
        let now = Arc::new(Mutex::new("2026-11-21T12:00:00Z".parse().unwrap()));
        let clock = Arc::clone(&now);
        let own = SelfSigned::with_clock(&["localhost".into()], Box::new(move || *clock.lock().unwrap())).unwrap();
        let facts = own.facts();
        tokio::spawn(Arc::new(own).run());
        Clocked { now, facts }
    }

    /// Moves the wall clock alone, lets one check pass, and says whether there is a new leaf, valid now.
    async fn jump(&mut self, by: SignedDuration) -> bool {
        let before = self.facts.borrow().serial.clone();
        let now = {
            let mut now = self.now.lock().unwrap();
            *now += by;
            *now
        };
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(self.facts.borrow().problem(now), None);
        self.facts.borrow().serial != before
    }
}

#[tokio::test(start_paused = true)]
async fn the_leaf_is_renewed_by_the_wall_clock_well_before_it_expires() {
    let mut clocked = Clocked::start();
    let hours = SignedDuration::from_hours;
    assert!(!clocked.jump(hours(0)).await);
    assert!(!clocked.jump(hours(4 * 24)).await, "three days are left");
    assert!(clocked.jump(hours(24)).await, "two days are left");
    assert_eq!(clocked.facts.borrow().reloads.succeeded, 1);
    assert!(!clocked.jump(hours(24)).await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_either_way_leaves_a_valid_leaf() {
    let mut clocked = Clocked::start();
    let hours = SignedDuration::from_hours;
    assert!(!clocked.jump(hours(48)).await);
    assert!(clocked.jump(hours(-96)).await, "the leaf would be one of the future");
    assert!(clocked.jump(hours(365 * 24)).await, "the machine slept for a year");
    assert!(clocked.jump(hours(-365 * 24)).await);
}

#[test]
fn the_ca_is_written_whole_and_leaves_nothing_beside_it() {
    let own = SelfSigned::generate(&["localhost".into()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    std::fs::write(&file, "what was there").unwrap();
    own.write_ca(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), own.ca_pem());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    // Not a regular file: written to, not replaced.
    own.write_ca(Path::new("/dev/null")).unwrap();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    own.write_ca(&directory.path().join("no/such/folder")).unwrap_err();
}

#[test]
fn our_own_certificate_says_what_it_is_for() {
    let own = SelfSigned::generate(&["localhost".into(), "127.0.0.1".into(), "::1".into()]).unwrap();
    let facts = own.facts().borrow().clone();
    assert_eq!(facts.names, ["localhost", "127.0.0.1", "::1"]);
    assert_eq!(facts.problem(Timestamp::now()), None);
    assert!(
        facts
            .problem(Timestamp::now() + SignedDuration::from_hours(200))
            .unwrap()
            .contains("expired at")
    );
    assert!(
        facts
            .problem(Timestamp::now() - SignedDuration::from_hours(2))
            .unwrap()
            .contains("not valid before")
    );
    let error = SelfSigned::generate(&["bücher.example".into()]).err().unwrap();
    assert!(error.to_string().contains("bücher.example"), "{error}");
}

/// A CA of today, and a leaf of it for this name.
fn signed(name: &str, now: Timestamp) -> (Authority, Leaf) {
    let hours = SignedDuration::from_hours;
    let authority = Authority::make("a CA", now, hours(48)).unwrap();
    let leaf = authority
        .sign(&[name.to_owned()], now - hours(1), now + hours(96))
        .unwrap();
    (authority, leaf)
}

#[test]
fn a_ca_that_is_loaded_again_signs_what_its_certificate_vouches_for() {
    let now = Timestamp::now();
    let (made, _) = signed("a.example", now);
    let loaded = Authority::load(made.pem(), &made.key_pem()).unwrap();
    let leaf = loaded
        .sign(&["b.example".into()], now, now + SignedDuration::from_hours(1))
        .unwrap();
    let chain = leaf.certified().unwrap().0.cert.clone();
    trusts(made.pem().as_bytes(), &chain, "b.example", now).unwrap();
    let (other, leaf) = signed("a.example", now);
    let error = Authority::load(made.pem(), &other.key_pem()).unwrap_err().to_string();
    assert!(error.contains("is not the key of"), "{error}");
    let error = Authority::load(&leaf.certificate, &leaf.key).unwrap_err().to_string();
    assert!(error.contains("may not sign others"), "{error}");
    assert!(!format!("{made:?} {leaf:?}").contains("PRIVATE"));
}

#[test]
fn what_an_api_server_refuses_is_refused_and_why_is_said() {
    let now = Timestamp::now();
    let hours = SignedDuration::from_hours;
    let name = "dorgu-webhook.dorgu-system.svc";
    let (authority, leaf) = signed(name, now);
    let (stranger, _) = signed(name, now);
    let chain = leaf.certified().unwrap().0.cert.clone();
    let bundle = format!("{}{}", stranger.pem(), authority.pem());
    let asked = |bundle: &str, name: &str, now| trusts(bundle.as_bytes(), &chain, name, now);
    asked(&bundle, name, now).unwrap();
    // Each with a word of its message.
    let refused = [
        (asked(stranger.pem(), name, now), "no CA of the caBundle has signed it"),
        (
            asked(&bundle, "other.svc", now),
            "it is not for other.svc but for dorgu-webhook.dorgu-system.svc",
        ),
        (
            asked(&bundle, name, now + hours(97)),
            "no CA of the caBundle is valid now",
        ),
        // The CA has expired and the leaf has not. Go checks both.
        (
            asked(&bundle, name, now + hours(50)),
            "no CA of the caBundle is valid now",
        ),
        (asked(&bundle, name, now - hours(2)), "not valid"),
        (asked("", name, now), "holds no certificate"),
        (trusts(bundle.as_bytes(), &[], name, now), "there is no certificate"),
    ];
    for (answer, word) in refused {
        let said = answer.expect_err(word).to_string();
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_certificate_that_stands_in_the_bundle_itself_is_trusted_for_its_names() {
    let made = rcgen::generate_simple_self_signed(["own.example".to_owned()]).unwrap();
    let chain = [made.cert.der().clone()];
    let (pem, now) = (made.cert.pem(), Timestamp::now());
    trusts(pem.as_bytes(), &chain, "own.example", now).unwrap();
    assert!(trusts(pem.as_bytes(), &chain, "other.example", now).is_err());
}
