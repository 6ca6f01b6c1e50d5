//! Tests of what is read when, nearly all on a simulated clock.

use std::time::SystemTime;

use super::*;
use crate::files::rest::Stamp;
use crate::files::tests::{Files, alive, names, path, persona};

/// Folders that are refreshed at given times.
struct Timed {
    folder: Folder,
    start: Instant,
    arrivals: Arrivals,
}

impl Timed {
    /// Over files that were read.
    fn over(files: &Files) -> Timed {
        let mut folder = files.open();
        folder.reload();
        Timed {
            folder,
            start: Instant::now(),
            arrivals: Arrivals::default(),
        }
    }

    /// What a refresh returns this many milliseconds after the start.
    fn at(&mut self, millis: u64) -> Option<Loaded> {
        let now = self.start + Duration::from_millis(millis);
        let arrivals = std::mem::take(&mut self.arrivals);
        self.folder.refresh(At {
            now,
            arrivals: &arrivals,
        })
    }

    /// A file was renamed to this name, and the rename was reported just now.
    fn renamed(&mut self, files: &Files, name: &str) -> &mut Self {
        let path = files.path(name);
        let folder = path.parent().unwrap().canonicalize().unwrap();
        let path = folder.join(path.file_name().unwrap());
        self.arrivals.record(path, SystemTime::now());
        self
    }

    fn due(&self) -> Option<u64> {
        let millis = self.folder.due()?.duration_since(self.start).as_millis();
        u64::try_from(millis).ok()
    }
}

/// Two personas; the first has this version.
fn two(version: &str) -> String {
    [persona("a", &alive(version)), persona("b", "")].join("---\n")
}

#[test]
fn a_change_is_read_when_the_file_has_rested_for_a_second() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    files.write("a.yaml", &two("/critical"));
    assert_eq!(timed.at(0), None);
    assert_eq!(timed.due(), Some(1000));
    assert_eq!(timed.at(999), None);
    assert_eq!(path(&timed.at(1000).unwrap()), Some("/critical"));
    assert_eq!(timed.due(), None);
}

#[test]
fn every_further_change_starts_the_second_again_and_half_a_file_is_never_served() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    for (millis, text) in [(0, String::new()), (900, persona("a", "")), (1800, two("/critical"))] {
        files.write("a.yaml", &text);
        assert_eq!(timed.at(millis), None, "after {millis} ms");
    }
    assert_eq!(timed.due(), Some(2800));
    assert_eq!(names(&timed.at(2800).unwrap()).len(), 2);
}

#[test]
fn an_object_that_is_no_longer_in_its_file_is_dropped_when_the_file_has_rested() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    files.write("a.yaml", &persona("b", ""));
    assert_eq!(timed.at(0), None);
    assert_eq!(names(&timed.at(1000).unwrap()), ["default/b"]);
}

#[test]
fn a_change_of_the_text_alone_is_no_news() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    let mut timed = Timed::over(&files);
    assert_eq!(timed.at(0), None);
    files.write("a.yaml", &persona("a", "# only a comment"));
    assert_eq!((timed.at(0), timed.at(1000)), (None, None));
    files.write("b.yaml", "a: [");
    assert_eq!(timed.at(2000), None);
    assert_eq!(timed.at(3000).unwrap().problems.len(), 1);
}

#[test]
fn a_new_file_rests_as_well() {
    let files = Files::new();
    let mut timed = Timed::over(&files);
    files.write("a.yaml", &persona("a", ""));
    assert_eq!(timed.at(0), None);
    files.write("a.yaml", &two("/critical"));
    assert_eq!(timed.at(500), None);
    assert_eq!(timed.at(1000), None);
    assert_eq!(names(&timed.at(1500).unwrap()).len(), 2);
}

#[test]
fn a_file_that_arrives_by_a_rename_is_read_at_once_and_one_that_is_written_to_after_it_is_not() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    files.write(".new", &two("/critical")).rename(".new", "a.yaml");
    let loaded = timed.renamed(&files, "a.yaml").at(0).unwrap();
    assert_eq!(path(&loaded), Some("/critical"));

    files.write(".new", &two("/best-effort")).rename(".new", "a.yaml");
    timed.renamed(&files, "a.yaml");
    let later = SystemTime::now() + Duration::from_secs(1);
    let file = std::fs::File::options()
        .append(true)
        .open(files.path("a.yaml"))
        .unwrap();
    file.set_modified(later).unwrap();
    assert_eq!(timed.at(10), None);
    assert_eq!(path(&timed.at(1010).unwrap()), Some("/best-effort"));
}

#[test]
fn a_mounted_configmap_is_read_at_once_when_its_link_is_renamed() {
    let files = Files::new();
    files
        .write("..1/a.yaml", &two("/standard"))
        .link("..1", "..data")
        .link("..data/a.yaml", "a.yaml");
    let mut timed = Timed::over(&files);
    files
        .write("..2/a.yaml", &two("/critical"))
        .link("..2", "..data_tmp")
        .rename("..data_tmp", "..data");
    assert_eq!(timed.at(0), None, "a link that changed otherwise");
    let loaded = timed.renamed(&files, "..data").at(10).unwrap();
    assert_eq!(path(&loaded), Some("/critical"));
}

#[test]
fn a_folder_that_arrives_by_a_rename_is_read_at_once() {
    let files = Files::new();
    let mut timed = Timed::over(&files);
    files.write(".new/a.yaml", &two("/critical")).rename(".new", "sub");
    assert_eq!(names(&timed.renamed(&files, "sub").at(0).unwrap()).len(), 2);
}

#[test]
fn a_deleted_file_counts_within_a_second_and_one_that_is_written_anew_is_never_missed() {
    let files = Files::new();
    files
        .write("a.yaml", &two("/standard"))
        .write("b.yaml", &persona("c", ""));
    let mut timed = Timed::over(&files);
    files.remove("a.yaml");
    assert_eq!(timed.at(0), None);
    assert_eq!(timed.at(200), None);
    // An editor that deletes before it writes.
    files.write("a.yaml", &two("/critical"));
    assert_eq!(timed.at(500), None);
    assert_eq!(path(&timed.at(1500).unwrap()), Some("/critical"));

    files.remove("a.yaml");
    assert_eq!(timed.at(2000), None);
    assert_eq!(names(&timed.at(2400).unwrap()), ["default/c"]);
    assert_eq!(timed.due(), None);
}

#[test]
fn a_file_that_is_renamed_is_no_problem_and_never_missed() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    files.rename("a.yaml", "b.yaml");
    assert_eq!(timed.renamed(&files, "b.yaml").at(0), None);
    assert_eq!(timed.at(400), None, "the same objects are in another file");
    files.write(".new", &two("/critical")).rename(".new", "b.yaml");
    let loaded = timed.renamed(&files, "b.yaml").at(410).unwrap();
    assert_eq!((path(&loaded), names(&loaded).len()), (Some("/critical"), 2));
    assert_eq!(loaded.problems, []);
}

#[test]
fn an_object_that_moves_between_files_saved_together_is_never_missed() {
    let files = Files::new();
    files
        .write("a.yaml", &two("/standard"))
        .write("b.yaml", &persona("c", ""));
    let mut timed = Timed::over(&files);
    files.write("a.yaml", &persona("a", &alive("/standard")));
    assert_eq!(timed.at(0), None);
    files.write("b.yaml", &[persona("c", ""), persona("b", "")].join("---\n"));
    assert_eq!(timed.at(200), None);
    assert_eq!(timed.at(1000), None, "the other one is about to have rested");
    assert_eq!(timed.at(1200), None, "both are read, and nothing is missing");
    assert_eq!(names(&timed.folder.reload()), ["default/a", "default/c", "default/b"]);
}

#[test]
fn an_object_that_moves_to_a_file_in_unrest_is_never_missed_however_its_own_goes() {
    type Leave = fn(&Files, &mut Timed);
    let deleted: Leave = |files, _| std::fs::remove_file(files.path("a.yaml")).unwrap();
    let replaced: Leave = |files, timed| {
        files.write("new", &persona("b", ""));
        std::fs::rename(files.path("new"), files.path("a.yaml")).unwrap();
        timed.renamed(files, "a.yaml");
    };
    for leave in [deleted, replaced] {
        let files = Files::new();
        files.write("a.yaml", &two("/standard"));
        files.write("c.yaml", &persona("c", ""));
        let mut timed = Timed::over(&files);
        files.write(
            "c.yaml",
            &[persona("c", ""), persona("a", &alive("/critical"))].join("---\n"),
        );
        assert_eq!(timed.at(0), None);
        leave(&files, &mut timed);
        for millis in [10, 420, 700, 990] {
            let loaded = timed.at(millis);
            let served = loaded.is_none_or(|loaded| names(&loaded).iter().any(|name| name.ends_with("/a")));
            assert!(served, "after {millis} ms");
        }
        let loaded = timed.at(1200).unwrap();
        assert!(
            names(&loaded).iter().any(|name| name.ends_with("/a")),
            "{:?}",
            names(&loaded)
        );
        assert_eq!(timed.due(), None);
    }
}

#[test]
fn a_change_whose_size_and_time_are_those_of_before_is_read_all_the_same() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let set = |time: SystemTime| {
        let file = std::fs::File::options().write(true).open(files.path("a.yaml")).unwrap();
        file.set_modified(time).unwrap();
    };
    let time = SystemTime::now() - Duration::from_secs(3600);
    set(time);
    let mut timed = Timed::over(&files);
    files.write("a.yaml", &two("/critical"));
    set(time);
    assert_eq!(timed.at(0), None);
    assert_eq!(path(&timed.at(1000).unwrap()), Some("/critical"));
}

#[test]
fn a_file_that_never_rests_is_reported_after_thirty_seconds_and_holds_up_no_other() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    for second in 0..30 {
        files.write("a.yaml", &"#".repeat(1 + second));
        assert_eq!(timed.at(900 * second as u64), None);
    }
    files.write("b.yaml", &persona("c", ""));
    files.write("a.yaml", "# longer and longer; and yet it holds nothing");
    assert_eq!(timed.at(27_000), None);
    files.write("a.yaml", "# on it goes, for as long as it takes to be half a minute");
    assert_eq!(timed.at(27_900), None);
    files.write("a.yaml", "");
    assert_eq!(names(&timed.at(28_800).unwrap()).len(), 3);
    files.write("a.yaml", "#");
    assert_eq!(timed.at(29_700), None);
    assert_eq!(timed.due(), Some(30_000));
    let loaded = timed.at(30_000).unwrap();
    assert_eq!(loaded.unsettled, [files.path("a.yaml")]);
    assert_eq!(names(&loaded).len(), 3);
    assert_eq!(timed.due(), Some(30_700), "it was reported");
    let loaded = timed.at(30_700).unwrap();
    assert_eq!((loaded.unsettled.len(), names(&loaded).len()), (0, 1));
}

#[test]
fn a_file_that_could_not_be_read_is_tried_again_without_a_change() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    let stamp = Stamp::of(&std::fs::metadata(files.path("a.yaml")).unwrap());
    let state = timed.folder.files.get_mut(&files.path("a.yaml")).unwrap();
    assert!(state.is_as_read(Some(stamp)));
    state.fail(Some(stamp), FileProblem::of_file(&files.path("a.yaml"), "as asked"));
    assert_eq!(timed.at(0), None, "it holds what it held, and the problem is over");
    let state = &timed.folder.files[&files.path("a.yaml")];
    assert!(state.is_as_read(Some(stamp)));
}

#[test]
fn a_file_that_is_written_to_while_it_is_read_is_read_again() {
    let files = Files::new();
    files.write("a.yaml", &two("/standard"));
    let mut timed = Timed::over(&files);
    files.write("a.yaml", &persona("a", ""));
    let before = Stamp::of(&std::fs::metadata(files.path("a.yaml")).unwrap());
    files.write("a.yaml", &two("/critical"));
    let at = At {
        now: timed.start,
        arrivals: &Arrivals::default(),
    };
    let found = Found {
        path: files.path("a.yaml"),
        stamp: Some(before),
    };
    assert!(matches!(timed.folder.read(&found, Some(at)), Reading::Same));
    assert_eq!(timed.at(999), None);
    assert_eq!(path(&timed.at(1000).unwrap()), Some("/critical"));
}

#[test]
fn the_first_reading_waits_for_a_file_that_is_being_written() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    let whole = {
        let file = files.path("a.yaml");
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            std::fs::write(file, two("/critical")).unwrap();
        })
    };
    let loaded = files.open().first().unwrap();
    whole.join().unwrap();
    assert_eq!(names(&loaded).len(), 2);
    let age = std::fs::metadata(files.path("a.yaml"))
        .unwrap()
        .modified()
        .unwrap()
        .elapsed();
    assert!(age.unwrap() >= REST);
    // An old one is not waited for.
    let began = Instant::now();
    files.open().first().unwrap();
    assert!(began.elapsed() < REST);
}

#[test]
fn too_many_entries_are_an_error_at_first_and_later_a_problem_that_changes_nothing() {
    let files = Files::new();
    files
        .write("a.yaml", &persona("a", ""))
        .write("b.yaml", &persona("b", ""));
    let mut folder = files.open();
    folder.most = 1;
    let error = folder.first().unwrap_err().to_string();
    assert!(
        error.ends_with("more than 1 entries in and below the persona folders; name folders that hold personas only"),
        "{error}"
    );
    folder.most = 2;
    assert_eq!(names(&folder.reload()).len(), 2);
    files.write("c.yaml", &persona("c", ""));
    let loaded = folder.reload();
    assert_eq!((names(&loaded).len(), loaded.problems.len()), (2, 1));
    files.remove("c.yaml");
    let loaded = folder.reload();
    assert_eq!((names(&loaded).len(), loaded.problems.len()), (2, 0));
}

#[test]
fn a_changed_cluster_persona_or_exception_is_read_like_a_changed_persona() {
    let files = Files::new();
    let text = |level: &str, day: &str| {
        let cluster = format!("spec: {{name: c, policies: {{rules: [{{rule: requests-missing, level: {level}}}]}}}}");
        let spec = format!(
            "spec: {{app: orders, rules: [requests-missing], owner: jane, reason: the second zone comes in spring, \
             starts: 2026-01-01T00:00:00Z, expires: 2026-02-{day}T00:00:00Z}}"
        );
        let head = |kind: &str| format!("apiVersion: dorgu.io/v1\nkind: {kind}\nmetadata: {{name: c}}\n");
        [head("ClusterPersona") + &cluster, head("PersonaException") + &spec].join("\n---\n")
    };
    files.write("a.yaml", &text("warn", "01"));
    let mut timed = Timed::over(&files);
    for (millis, level, day) in [(1_000, "deny", "01"), (3_000, "deny", "02")] {
        files.write("a.yaml", &text(level, day));
        assert_eq!(timed.at(millis), None);
        let loaded = timed.at(millis + 1_000).expect("something has changed");
        assert_eq!(loaded.problems, []);
        assert_eq!((loaded.cluster_rules.len(), loaded.exceptions.len()), (1, 1));
        let until = format!("2026-02-{day}T00:00:00Z");
        assert_eq!(*loaded.exceptions[0].until, *until);
    }
}
