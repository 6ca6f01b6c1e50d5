//! Tests of the watch. Each makes a change of one sort and waits until it is delivered.

use std::sync::mpsc::channel as results;

use super::*;
use crate::files::tests::{Files, alive, names, path, persona};

/// A running watch and what it delivers.
struct Watched {
    loaded: Receiver<Loaded>,
    _watch: Watch,
}

impl Watched {
    fn new(files: &Files) -> Self {
        let mut folder = files.open();
        folder.reload();
        let (deliver, loaded) = results();
        let watch = watch(folder, move |new| deliver.send(new).unwrap_or_default()).unwrap();
        Self { loaded, _watch: watch }
    }

    /// Waits for a state in which `done` holds, for far less than the interval of the poll, so that only events can have caused
    /// it.
    #[track_caller]
    fn until(&self, done: impl Fn(&Loaded) -> bool) {
        let deadline = Instant::now() + SLOW_POLL - Duration::from_secs(1);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let loaded = self.loaded.recv_timeout(left).expect("the change did not arrive");
            if done(&loaded) {
                return;
            }
        }
    }
}

/// The first persona is the version that [`alive`] wrote.
fn is(version: &str) -> impl Fn(&Loaded) -> bool {
    move |loaded| path(loaded) == Some(version)
}

#[test]
fn a_new_a_changed_and_a_removed_file_arrive() {
    let files = Files::new();
    let watched = Watched::new(&files);
    files.write("a.yaml", &persona("a", ""));
    watched.until(|loaded| names(loaded) == ["default/a"]);
    files.write("a.yaml", &persona("a", &alive("/critical")));
    watched.until(is("/critical"));
    files.write("a.yaml", "a: [");
    watched.until(|loaded| loaded.problems.len() == 1 && names(loaded).len() == 1);
    files.remove("a.yaml");
    watched.until(|loaded| names(loaded).is_empty() && loaded.problems.is_empty());
}

#[test]
fn a_file_replaced_by_renaming_arrives_every_time() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    let watched = Watched::new(&files);
    for version in ["/critical", "/best-effort", "/standard"] {
        files
            .write(".a.yaml.tmp", &persona("a", &alive(version)))
            .rename(".a.yaml.tmp", "a.yaml");
        watched.until(is(version));
    }
}

#[test]
fn a_configmap_swap_arrives_every_time() {
    let files = Files::new();
    files
        .write("..1/a.yaml", &persona("a", ""))
        .link("..1", "..data")
        .link("..data/a.yaml", "a.yaml");
    let watched = Watched::new(&files);
    for (mount, version) in [("..2", "/critical"), ("..3", "/best-effort")] {
        files
            .write(&format!("{mount}/a.yaml"), &persona("a", &alive(version)))
            .link(mount, "..data_tmp")
            .rename("..data_tmp", "..data");
        watched.until(is(version));
    }
}

#[test]
fn a_root_that_goes_and_comes_back_is_served_all_along_and_seen_again() {
    let files = Files::new();
    files.write("root/a.yaml", &persona("a", ""));
    let mut folder = Folder::open(&[files.path("root")]).unwrap();
    folder.reload();
    let (deliver, loaded) = results();
    let _watch = watch(folder, move |new| deliver.send(new).unwrap_or_default()).unwrap();
    let watched = Watched { loaded, _watch };
    files.rename("root", "aside");
    watched.until(|loaded| loaded.problems.len() == 1 && names(loaded).len() == 1);
    files
        .write("aside/a.yaml", &persona("a", &alive("/critical")))
        .rename("aside", "root");
    watched.until(is("/critical"));
}

#[test]
fn files_in_new_folders_arrive_and_so_do_changes_in_folders_made_again() {
    let files = Files::new();
    let watched = Watched::new(&files);
    files.write("x/y/a.yaml", &persona("a", ""));
    watched.until(|loaded| names(loaded) == ["default/a"]);
    files.write("x/y/a.yaml", &persona("a", &alive("/critical")));
    watched.until(is("/critical"));
    std::fs::remove_dir_all(files.path("x")).unwrap();
    watched.until(|loaded| names(loaded).is_empty());
    files.write("x/y/a.yaml", &persona("a", ""));
    watched.until(|loaded| names(loaded) == ["default/a"]);
    files.write("x/y/a.yaml", &persona("a", &alive("/best-effort")));
    watched.until(is("/best-effort"));
}

#[test]
fn a_change_behind_a_link_arrives_and_so_does_a_link_that_leads_elsewhere() {
    let (files, elsewhere) = (Files::new(), Files::new());
    elsewhere
        .write("one/a.yaml", &persona("a", ""))
        .write("two/a.yaml", &persona("a", &alive("/critical")));
    elsewhere.write("b.txt", "").write("file.yaml", &persona("b", ""));
    let target = |name: &str| elsewhere.path(name).to_str().unwrap().to_owned();
    files
        .link(&target("one"), "folder")
        .link(&target("file.yaml"), "z.yaml");
    let watched = Watched::new(&files);
    elsewhere.write("one/a.yaml", &persona("a", &alive("/best-effort")));
    watched.until(is("/best-effort"));
    files.link(&target("two"), "next").rename("next", "folder");
    watched.until(is("/critical"));
    elsewhere.write("file.yaml", &persona("c", ""));
    watched.until(|loaded| names(loaded) == ["default/a", "default/c"]);
}

#[test]
fn reading_is_no_change_and_nothing_is_delivered_twice() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    let watched = Watched::new(&files);
    files.write("b.yaml", &persona("b", ""));
    watched.until(|loaded| names(loaded).len() == 2);
    std::fs::read(files.path("a.yaml")).unwrap();
    files.write("notes.txt", "not a manifest");
    files.write("c.yaml", &persona("c", ""));
    let next = watched.loaded.recv_timeout(SLOW_POLL).unwrap();
    assert_eq!(names(&next).len(), 3);
}

#[test]
fn a_burst_of_changes_is_read_when_it_has_passed() {
    let (messages, inbox) = channel();
    for _ in 0..100 {
        messages.send(Message::Changed { renamed: None }).unwrap();
    }
    let mut arrivals = Arrivals::default();
    assert!(settle(&inbox, &mut arrivals) == Woken::Changed);
    assert!(inbox.try_recv().is_err(), "the burst was not taken whole");
    messages.send(Message::Stop).unwrap();
    assert!(settle(&inbox, &mut arrivals) == Woken::Stop);
}

#[test]
fn looking_finds_what_nothing_reports() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    let mut folder = files.open();
    folder.reload();
    let (messages, inbox) = channel();
    let (deliver, loaded) = results();
    let watch = launch(folder, None, messages, inbox, move |new| {
        deliver.send(new).unwrap_or_default()
    })
    .unwrap();
    let watched = Watched { loaded, _watch: watch };
    files.write("a.yaml", &persona("a", &alive("/critical")));
    watched.until(is("/critical"));
    files.remove("a.yaml");
    watched.until(|loaded| names(loaded).is_empty());
}

#[test]
fn watching_and_reading_report_nothing_themselves() {
    let files = Files::new();
    files.write("sub/a.yaml", &persona("a", ""));
    let (messages, inbox) = channel();
    let mut keeper = Worker {
        folder: files.open(),
        notify: Some(notifier(messages).unwrap()),
        watched: BTreeSet::new(),
        complete: false,
        hidden: false,
        stamp: 0,
    };
    for _ in 0..3 {
        keeper.watch_folders();
        keeper.folder.reload();
    }
    assert!(keeper.complete && keeper.watched.len() == 2);
    // Otherwise the thread would never rest. Events come within a millisecond or so; the quiet time is what it waits itself.
    assert!(inbox.recv_timeout(QUIET * 4).is_err());
}

#[test]
fn a_rename_is_reported_with_its_target() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    let (messages, inbox) = channel();
    let mut notify = notifier(messages).unwrap();
    let folder = files.path("").canonicalize().unwrap();
    notify.watch(&folder, RecursiveMode::NonRecursive).unwrap();
    files.rename("a.yaml", "b.yaml");
    let renamed = |message| match message {
        Message::Changed { renamed } => renamed.map(|(path, _)| path),
        Message::Stop => None,
    };
    let found = std::iter::from_fn(|| inbox.recv_timeout(SLOW_POLL).ok()).find_map(renamed);
    assert_eq!(found, Some(folder.join("b.yaml")));
}
