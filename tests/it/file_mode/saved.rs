//! Saves a persona file in every usual way, while Deployments are sent that it denies: none is admitted.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{TIMEOUT, ask, persona, write};
use crate::bed::Dorgu;

const APPS: usize = 10;
/// A file that was not written to for nearly this long may be read.
const RESTED: Duration = Duration::from_millis(900);
/// A file that was missing for nearly this long may count as deleted.
const DELETED: Duration = Duration::from_millis(300);

fn documents() -> Vec<String> {
    (0..APPS)
        .map(|app| format!("---\n{}", persona(&format!("app{app}"), "2")))
        .collect()
}

/// A process that enforces ten personas of one file.
fn enforcing(folder: &Path) -> Dorgu {
    write(folder, "all.yaml", &documents().concat());
    let dorgu = Dorgu::with_personas(folder, &["--webhook-mode=enforcing", "--log-format=json"]);
    // Started, so that what follows happens to a process that serves.
    assert_eq!(ask(&dorgu, "app0")["allowed"], false);
    dorgu
}

/// Asks until a Deployment of this app is allowed, or is not.
fn until(dorgu: &Dorgu, app: &str, allowed: bool) {
    let began = Instant::now();
    while ask(dorgu, app)["allowed"] != allowed {
        assert!(
            began.elapsed() < TIMEOUT,
            "{app}: not {allowed} after {:?}",
            began.elapsed()
        );
    }
}

/// A saver of the file, which knows how long it left the file unfinished.
struct Saver<'a> {
    folder: &'a Path,
    last: Instant,
    longest: Duration,
}

impl Saver<'_> {
    /// The file has just been written to.
    fn wrote(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
        self.last = Instant::now();
    }

    fn file(&self) -> PathBuf {
        self.folder.join("all.yaml")
    }

    fn pause(&self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }

    /// Writes the parts with a pause after each.
    fn slowly(&mut self, pause: u64) {
        let mut file = File::create(self.file()).expect("a file");
        for part in documents() {
            self.wrote();
            file.write_all(part.as_bytes()).expect("written");
            self.pause(pause);
        }
        self.wrote();
    }
}

/// Sends Deployments that the last persona of the file denies, while `save` runs and until its last change is read.
///
/// On a machine that is too busy to write in time an incomplete file has rested, or counts as deleted: where a pause
/// reached the limit, it is tried again.
fn none_is_admitted_while(limit: Duration, save: impl Fn(&mut Saver<'_>) + Sync) {
    for _ in 0..5 {
        let folder = TempDir::new().expect("a folder");
        let dorgu = enforcing(folder.path());
        let last = format!("app{}", APPS - 1);
        let (mut denied, mut admitted) = (0, None);
        let longest = std::thread::scope(|scope| {
            let saving = scope.spawn(|| {
                let mut saver = Saver {
                    folder: folder.path(),
                    last: Instant::now(),
                    longest: Duration::ZERO,
                };
                save(&mut saver);
                // What comes last shows that everything before it was read.
                write(folder.path(), "end.yaml", &persona("end", "7"));
                until(&dorgu, "end", false);
                saver.longest
            });
            while !saving.is_finished() {
                let response = ask(&dorgu, &last);
                denied += usize::from(response["allowed"] == false);
                if response["allowed"] != false {
                    admitted.get_or_insert(response);
                }
            }
            saving.join().expect("it is saved")
        });
        if longest < limit {
            assert_eq!(admitted, None, "besides {denied} denials");
            assert!(denied > 10, "{denied} denials are too few to judge by");
            return;
        }
    }
    panic!("the machine is too busy: no file was written without a pause of {limit:?}");
}

#[test]
fn in_place_and_slowly() {
    none_is_admitted_while(RESTED, |saver| saver.slowly(300));
}

#[test]
fn at_once_again_and_again() {
    none_is_admitted_while(RESTED, |saver| {
        for edition in 0..10 {
            saver.wrote();
            write(
                saver.folder,
                "all.yaml",
                &format!("# {edition}\n{}", documents().concat()),
            );
            saver.wrote();
            saver.pause(100);
        }
    });
}

#[test]
fn emptied_before_it_is_written() {
    none_is_admitted_while(RESTED, |saver| {
        for edition in 0..30 {
            saver.wrote();
            let mut file = File::create(saver.file()).expect("a file");
            saver.pause(20);
            write!(file, "# {edition}\n{}", documents().concat()).expect("written");
            saver.wrote();
            saver.pause(20);
        }
    });
}

#[test]
fn deleted_before_it_is_written() {
    none_is_admitted_while(DELETED, |saver| {
        for _ in 0..3 {
            saver.wrote();
            std::fs::remove_file(saver.file()).expect("removed");
            saver.pause(20);
            saver.slowly(20);
        }
    });
}

#[test]
fn by_a_rename_again_and_again() {
    none_is_admitted_while(RESTED, |saver| {
        for edition in 0..30 {
            write(saver.folder, ".new", &format!("# {edition}\n{}", documents().concat()));
            std::fs::rename(saver.folder.join(".new"), saver.file()).expect("renamed");
            saver.pause(50);
        }
    });
}

#[test]
fn while_dorgu_starts() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "all.yaml", &documents()[..2].concat());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let dorgu = scope.spawn(|| started(folder.path()));
        let mut saver = Saver {
            folder: folder.path(),
            last: Instant::now(),
            longest: Duration::ZERO,
        };
        saver.slowly(200);
        let dorgu = dorgu.join().expect("it starts");
        if saver.longest >= RESTED || began.elapsed() > Duration::from_secs(5) {
            println!("skipped: the machine is too busy to write a file in time");
            return;
        }
        assert_eq!(ask(&dorgu, &format!("app{}", APPS - 1))["allowed"], false);
    });
}

fn started(folder: &Path) -> Dorgu {
    let dorgu = Dorgu::with_personas(folder, &["--webhook-mode=enforcing"]);
    dorgu.webhook_url();
    dorgu
}

#[test]
fn a_persona_or_a_file_that_is_deleted_no_longer_counts_after_a_second() {
    let folder = TempDir::new().expect("a folder");
    let dorgu = enforcing(folder.path());
    assert_eq!(ask(&dorgu, "app9")["allowed"], false);
    write(folder.path(), "all.yaml", &documents()[..9].concat());
    let began = Instant::now();
    until(&dorgu, "app9", true);
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "the file had not rested: {:?}",
        began.elapsed()
    );
    assert_eq!(ask(&dorgu, "app8")["allowed"], false);
    std::fs::remove_file(folder.path().join("all.yaml")).expect("removed");
    until(&dorgu, "app8", true);
}

/// The long form (`DORGU_LONG=1`): half a minute without rest.
#[test]
fn a_file_that_never_rests_is_logged_once_and_counted() {
    if std::env::var_os("DORGU_LONG").is_none() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let dorgu = enforcing(folder.path());
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let unsettled = |count: u8| {
        let metrics = runtime
            .block_on(crate::https::get(&dorgu.metrics_url()))
            .expect("metrics")
            .1;
        metrics.contains(&format!("dorgu_files_unsettled {count}\n"))
    };
    let mut edition = 0;
    while !unsettled(1) {
        assert!(began.elapsed() < Duration::from_secs(45), "it is not counted");
        edition += 1;
        write(folder.path(), "all.yaml", &format!("# {edition}\n"));
        assert_eq!(ask(&dorgu, "app0")["allowed"], false);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() >= Duration::from_secs(30), "{:?}", began.elapsed());
    write(folder.path(), "all.yaml", &documents()[1..].concat());
    until(&dorgu, "app0", true);
    assert!(unsettled(0));
    let logged = dorgu.lines();
    let logged = logged.iter().filter(|line| line.contains("keeps changing"));
    assert_eq!(logged.count(), 1);
}

#[test]
fn a_folder_that_is_no_folder_of_personas_is_refused_by_name() {
    let folder = TempDir::new().expect("a folder");
    let mut dorgu = Dorgu::typed(folder.path(), "dorgu serve --personas /sys");
    assert_eq!(dorgu.wait().code(), Some(1));
    let said = dorgu.lines().join("\n");
    assert!(said.contains("/sys: in /sys, which holds no personas"), "{said}");
}
