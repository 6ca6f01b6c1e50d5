//! Tests of reading folders. What an API server accepts is tested with the schema engine; these tests are about files.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A persona document; `more` are lines of its spec.
pub(super) fn persona(name: &str, more: &str) -> String {
    let more = more.replace('\n', "\n  ");
    format!(
        "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata:\n  name: {name}\nspec:\n  name: {name}\n  type: api\n  {more}\n"
    )
}

/// A folder with files in it.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in place, making its folder.
    pub(super) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.path(name)).unwrap();
        self
    }

    pub(super) fn link(&self, target: &str, name: &str) -> &Self {
        symlink(target, self.path(name)).unwrap();
        self
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> &Self {
        fs::rename(self.path(from), self.path(to)).unwrap();
        self
    }

    pub(super) fn open(&self) -> Folder {
        Folder::open(&[self.0.path().to_owned()]).unwrap()
    }

    fn load(&self) -> Loaded {
        self.open().reload()
    }

    /// Problems as printed, with this folder as `.`.
    fn say(&self, problems: &[FileProblem]) -> Vec<String> {
        let root = format!("{}", self.0.path().display());
        problems
            .iter()
            .map(|problem| problem.to_string().replace(&root, "."))
            .collect()
    }
}

/// `namespace/name` of every persona.
pub(super) fn names(loaded: &Loaded) -> Vec<String> {
    loaded
        .personas
        .iter()
        .map(|served| format!("{}/{}", served.persona.namespace, served.persona.name))
        .collect()
}

/// Lines of a spec that distinguish one version of a persona from another.
pub(super) fn alive(path: &str) -> String {
    format!("health: {{livenessPath: {path}}}")
}

/// What [`alive`] wrote into the first persona.
pub(super) fn path(loaded: &Loaded) -> Option<&str> {
    loaded.personas.first()?.persona.liveness_path.as_deref()
}

#[test]
fn manifests_of_all_endings_and_folders_are_read_and_others_are_not() {
    let files = Files::new();
    files
        .write("b.yaml", &persona("b", ""))
        .write("a.yml", &persona("a", ""))
        .write("deep/er/c.YAML", &persona("c", ""))
        .write(
            "d.json",
            r#"{"apiVersion":"dorgu.io/v1","kind":"ApplicationPersona","metadata":{"name":"d"},"spec":{"name":"d","type":"web"}}"#,
        )
        .write("README.md", "not: [yaml")
        .write("a.yaml~", "not: [yaml")
        .write(".hidden.yaml", "not: [yaml")
        .write(".git/x.yaml", "not: [yaml");
    let loaded = files.load();
    assert_eq!(names(&loaded), ["default/a", "default/b", "default/d", "default/c"]);
    assert_eq!(loaded.problems, []);
}

#[test]
fn documents_of_every_kind_in_one_file_find_their_place() {
    let files = Files::new();
    let text = [
        persona("orders", "").replace("  name: orders\nspec", "  name: orders\n  namespace: shop\nspec"),
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels: {dorgu.io/mode: enforcing}\n".to_owned(),
        "apiVersion: dorgu.io/v1\nkind: ClusterPersona\nmetadata: {name: c}\nspec: {name: c}\n".to_owned(),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n".to_owned(),
        "just: values\n".to_owned(),
        "# nothing\n".to_owned(),
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- {}",
            persona("cart", "").replace('\n', "\n  ")
        ),
    ]
    .join("---\n");
    files.write("all.yaml", &text);
    let loaded = files.load();
    assert_eq!(files.say(&loaded.problems), [""; 0]);
    assert_eq!(names(&loaded), ["shop/orders", "default/cart"]);
    assert_eq!(
        loaded.namespaces,
        [("shop".to_owned(), ModeWish::read(Some("enforcing")))]
    );
    assert_eq!(loaded.skipped, 2);
}

#[test]
fn a_suite_beside_personas_is_passed_by() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", ""));
    files.write(
        "test.yaml",
        "apiVersion: dorgu.io/v1\nkind: PersonaTest\nmetadata: {name: a}\n",
    );
    let loaded = files.load();
    assert_eq!(files.say(&loaded.problems), [""; 0]);
    assert_eq!((names(&loaded).len(), loaded.skipped), (1, 1));
}

#[test]
fn objects_beside_those_of_folders_share_their_namespace_and_their_names() {
    let files = Files::new();
    files.write("b.yaml", &persona("b", ""));
    let text = [
        persona("a", ""),
        persona("b", ""),
        "kind: Deployment\napiVersion: apps/v1\n".to_owned(),
    ]
    .join("---\n");
    let documents = crate::manifest::read(&text).documents;
    let mut folder = files.open().in_namespace("shop");
    let file = files.path("suite.yaml");
    folder.add(&file, &documents.iter().collect::<Vec<_>>());
    let loaded = folder.reload();
    assert_eq!(names(&loaded), ["shop/a", "shop/b"]);
    assert_eq!(
        files.say(&loaded.problems),
        [
            "./suite.yaml:19: \"Deployment\" is no persona, exception, ClusterPersona or Namespace",
            "./b.yaml:1: ApplicationPersona shop/b is already defined at ./suite.yaml:10, which is the one that serves; \
             remove one of them"
        ]
    );
}

#[test]
fn personas_are_defaulted_and_pruned_with_a_warning_at_its_line() {
    let files = Files::new();
    files.write("a.yaml", &persona("a", "policies: {security: {}}\ncolour: red"));
    let loaded = files.load();
    assert!(loaded.personas[0].persona.run_as_non_root, "it is the default");
    assert_eq!(
        files.say(&loaded.warnings),
        [r#"./a.yaml:9: unknown field "spec.colour""#]
    );
}

#[test]
fn every_mistake_is_named_with_file_line_and_reason() {
    let files = Files::new();
    files
        .write("syntax.yaml", "a: [")
        .write("twice.yaml", &persona("twice", "tier: critical\ntier: standard"))
        .write(
            "range.yaml",
            &format!(
                "# head\n---\n{}",
                persona("range", "scaling:\n  minReplicas: -1\nresources:\n  limits: {cpu: abc}")
            ),
        )
        .write("kind.yaml", "apiVersion: dorgu.io/v1\nkind: Persona\n")
        .write("version.yaml", "apiVersion: dorgu.io/v2\nkind: ApplicationPersona\n")
        .write(
            "unnamed.yaml",
            &persona("x", "").replace("  name: x\nspec", "  generateName: x\nspec"),
        )
        .write(
            "namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a.b\n",
        )
        .write("list.yaml", "apiVersion: v1\nkind: List\nitems: {a: 1}\n")
        .write(
            "missing.yaml",
            "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: a}\nspec:\n  type: api\n",
        );
    fs::write(files.path("latin1.yaml"), b"a: 1\nb: caf\xe9\n").unwrap();
    files.link("nowhere.yaml", "dangling.yaml");
    let loaded = files.load();
    assert_eq!(
        files.say(&loaded.problems),
        [
            "./dangling.yaml: cannot be read: No such file or directory (os error 2)",
            r#"./kind.yaml:2: "Persona" of "dorgu.io/v1" is no kind of ours; dorgu.io/v1 has ApplicationPersona, ClusterPersona and PersonaException"#,
            "./latin1.yaml:2: not UTF-8 text; save the file as UTF-8",
            "./list.yaml:3: items: must be a list",
            "./missing.yaml:4: spec.name: Required value",
            "./namespace.yaml:4: metadata.name: Invalid value: \"a.b\": must consist of lower case letters, digits or '-', and must \
             start and end with a letter or digit (such as 'my-name')",
            "./range.yaml:13: spec.resources.limits.cpu: Invalid value: \"abc\": must be a Kubernetes quantity such as 500m, 2 or \
             512Mi, or '' for not set",
            "./range.yaml:11: spec.scaling.minReplicas: Invalid value: -1: should be greater than or equal to 0",
            "./syntax.yaml:1: not valid YAML: unclosed bracket '['",
            "./twice.yaml:9: key \"tier\" is set twice, first at line 8",
            "./unnamed.yaml:4: metadata.name: Required value: names are not generated for files",
            r#"./version.yaml:2: "ApplicationPersona" of "dorgu.io/v2" is no kind of ours; dorgu.io/v1 has ApplicationPersona, ClusterPersona and PersonaException"#,
        ]
    );
    assert_eq!(names(&loaded), [""; 0]);
}

#[test]
fn a_mistyped_rule_is_answered_with_the_nearest_one() {
    let files = Files::new();
    let rules =
        "policies:\n  rules:\n  - {rule: cpu-limits-missing, level: deny}\n  - {rule: app-label-removed, level: deny}";
    files.write("a.yaml", &persona("a", rules));
    let exception = "apiVersion: dorgu.io/v1\nkind: PersonaException\nmetadata: {name: e}\nspec:\n  app: a\n  rules:\n  \
                     - run-as-nonroot\n  reason: The second zone comes in spring\n  owner: jane\n  \
                     starts: 2026-01-01T00:00:00Z\n  expires: 2026-03-01T00:00:00Z\n";
    files.write("e.yaml", exception);
    let said = files.say(&files.load().problems);
    let ends = |end: &str| said.iter().any(|said| said.ends_with(end));
    assert!(
        said[0].starts_with(r#"./a.yaml:10: spec.policies.rules[0].rule: Unsupported value: "cpu-limits-missing""#),
        "{said:?}"
    );
    assert!(ends("; did you mean cpu-limit-missing?"), "{said:?}");
    assert!(ends("; this rule has no level"), "{said:?}");
    assert!(ends("; did you mean run-as-non-root?"), "{said:?}");
}

#[test]
fn an_exception_needs_a_start_and_a_target_of_its_own() {
    let files = Files::new();
    let exception = |spec: &str| {
        format!(
            "apiVersion: dorgu.io/v1\nkind: PersonaException\nmetadata: {name}\nspec:\n  rules: [requests-missing]\n  \
             owner: jane\n  reason: The second zone comes in spring\n  expires: 2026-03-01T00:00:00Z\n{spec}",
            name = "{name: x, namespace: shop}"
        )
    };
    let starts = "  starts: 2026-01-01T00:00:00Z\n";
    files
        .write(
            "both.yaml",
            &exception(&format!(
                "  app: a\n  workload: {{kind: Deployment, name: a}}\n{starts}"
            )),
        )
        .write("good.yaml", &exception(&format!("  app: a\n{starts}")))
        .write("late.yaml", &exception("  app: a\n  starts: 2026-03-01T00:00:00Z\n"))
        .write("unstarted.yaml", &exception("  app: a\n"));
    let loaded = files.load();
    assert_eq!(
        files.say(&loaded.problems),
        [
            r#"./both.yaml:4: spec: Invalid value: {"app":"a","expires":"2026-03-01T00:00:00Z","owner":"jane","reason":"The second ...: set either app or workload, and not both"#,
            r#"./late.yaml:10: spec.starts: Invalid value: "2026-03-01T00:00:00Z": starts must be before expires"#,
            "./unstarted.yaml:4: spec.starts: Required value: an exception in a file has no time of creation to start from",
        ]
    );
    assert_eq!(loaded.exceptions.len(), 1);
}

#[test]
fn a_problem_is_one_line_whatever_the_names_in_it() {
    let files = Files::new();
    files.write("a\n\u{1b}[31m.yaml", "a: [");
    let said = files.say(&files.load().problems);
    assert_eq!(said, [r"./a\n\u{1b}[31m.yaml:1: not valid YAML: unclosed bracket '['"]);
}

#[test]
fn a_broken_file_goes_on_serving_its_last_good_version() {
    let files = Files::new();
    files
        .write(
            "a.yaml",
            &[persona("a", &alive("/critical")), persona("b", "")].join("---\n"),
        )
        .write("c.yaml", &persona("c", ""));
    let mut folder = files.open();
    assert_eq!(names(&folder.reload()).len(), 3);

    // Invalid, with another valid document changed: neither is taken.
    files.write(
        "a.yaml",
        &[persona("a", &alive("/best-effort")), persona("b", "tier: gold")].join("---\n"),
    );
    let loaded = folder.reload();
    assert_eq!(names(&loaded), ["default/a", "default/b", "default/c"]);
    assert_eq!(path(&loaded), Some("/critical"));
    assert_eq!(loaded.problems.len(), 1);

    // Invalid in another way: still the same.
    files.write("a.yaml", "a: [");
    let loaded = folder.reload();
    assert_eq!(names(&loaded).len(), 3);
    assert_eq!(
        files.say(&loaded.problems),
        ["./a.yaml:1: not valid YAML: unclosed bracket '['"]
    );

    files.write("a.yaml", &persona("a", &alive("/best-effort")));
    let loaded = folder.reload();
    assert_eq!(names(&loaded), ["default/a", "default/c"]);
    assert_eq!(path(&loaded), Some("/best-effort"));
    assert_eq!(loaded.problems, []);
}

#[test]
fn a_file_that_was_never_good_serves_its_good_documents() {
    let files = Files::new();
    files.write(
        "a.yaml",
        &[persona("a", ""), persona("b", "tier: gold"), persona("c", "")].join("---\n"),
    );
    let mut folder = files.open();
    let loaded = folder.reload();
    assert_eq!(names(&loaded), ["default/a", "default/c"]);
    assert_eq!(loaded.problems.len(), 1);
    // The file was never valid, so its newest valid documents count.
    files.write("a.yaml", &[persona("a", ""), persona("b", "tier: gold")].join("---\n"));
    assert_eq!(names(&folder.reload()), ["default/a"]);
}

#[test]
fn a_removed_file_takes_its_personas_with_it_and_an_unreadable_folder_does_not() {
    let files = Files::new();
    files
        .write("a.yaml", &persona("a", ""))
        .write("b.yaml", &persona("b", ""))
        .write("sub/c.yaml", &persona("c", ""));
    let mut folder = files.open();
    assert_eq!(names(&folder.reload()).len(), 3);
    files.remove("a.yaml");
    assert_eq!(names(&folder.reload()), ["default/b", "default/c"]);
    fs::remove_dir_all(files.path("sub")).unwrap();
    assert_eq!(names(&folder.reload()), ["default/b"]);

    // The folder itself disappears, as when a volume is unmounted. That says nothing about its files.
    let root = files.0.path();
    let aside = root.with_extension("aside");
    fs::rename(root, &aside).unwrap();
    let loaded = folder.reload();
    assert_eq!(names(&loaded), ["default/b"]);
    assert_eq!(
        files.say(&loaded.problems),
        [".: cannot be read: No such file or directory (os error 2)"]
    );
    fs::rename(&aside, root).unwrap();
    assert_eq!(folder.reload().problems, []);
}

#[test]
fn two_documents_of_one_name_are_a_problem_that_names_both_places() {
    let files = Files::new();
    files
        .write(
            "a.yaml",
            &[persona("x", &alive("/critical")), persona("q", "")].join("---\n"),
        )
        .write(
            "b.yaml",
            &[persona("z", ""), persona("x", &alive("/best-effort"))].join("---\n"),
        )
        .write("n.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n")
        .write(
            "other.yaml",
            &persona("x", "").replace("metadata:\n", "metadata:\n  namespace: shop\n"),
        );
    let loaded = files.load();
    assert_eq!(
        files.say(&loaded.problems),
        [
            "./b.yaml:10: ApplicationPersona default/x is already defined at ./a.yaml:1, which is the one that serves; remove one of \
          them"
        ]
    );
    assert_eq!(names(&loaded), ["default/x", "default/q", "default/z", "shop/x"]);
    assert_eq!(path(&loaded), Some("/critical"));
}

#[test]
fn a_mounted_configmap_is_read_once_and_its_next_version_replaces_it() {
    let files = Files::new();
    files
        .write("..2026_01/orders.yaml", &persona("orders", &alive("/critical")))
        .link("..2026_01", "..data")
        .link("..data/orders.yaml", "orders.yaml");
    let mut folder = files.open();
    let loaded = folder.reload();
    assert_eq!(names(&loaded), ["default/orders"]);
    assert_eq!(loaded.problems, []);
    files
        .write("..2026_02/orders.yaml", &persona("orders", &alive("/best-effort")))
        .link("..2026_02", "..data_tmp")
        .rename("..data_tmp", "..data");
    assert_eq!(path(&folder.reload()), Some("/best-effort"));
    // An invalid version of the mount leaves the good one in place, although its file is a different one.
    files
        .write("..2026_03/orders.yaml", "a: [")
        .link("..2026_03", "..data_tmp")
        .rename("..data_tmp", "..data");
    let loaded = folder.reload();
    assert_eq!(path(&loaded), Some("/best-effort"));
    assert_eq!(loaded.problems.len(), 1);
}

#[test]
fn links_are_followed_once_and_loops_end() {
    let files = Files::new();
    files
        .write("real/a.yaml", &persona("a", ""))
        .link("real", "again")
        .link(".", "real/loop")
        .link("real/a.yaml", "b.yaml");
    let loaded = files.load();
    assert_eq!(names(&loaded), ["default/a"]);
    assert_eq!(loaded.problems, []);
    let twice = [files.path("real"), files.0.path().to_owned()];
    assert_eq!(names(&Folder::open(&twice).unwrap().reload()), ["default/a"]);
}

#[test]
fn a_file_that_is_too_large_is_named() {
    let files = Files::new();
    fs::File::create(files.path("big.yaml"))
        .unwrap()
        .set_len(MAX_FILE_SIZE + 1)
        .unwrap();
    assert_eq!(
        files.say(&files.load().problems),
        ["./big.yaml: larger than 16777216 bytes; split it"]
    );
}

/// Whether the personas of two reads are the same allocations, one by one, and not merely equal.
fn shared(before: &Loaded, after: &Loaded) -> Vec<bool> {
    let pairs = before.personas.iter().zip(&after.personas);
    pairs
        .map(|(before, after)| std::sync::Arc::ptr_eq(&before.persona, &after.persona))
        .collect()
}

#[test]
fn a_persona_that_did_not_change_is_never_held_twice() {
    let files = Files::new();
    let three = [persona("a", ""), persona("b", ""), persona("c", "")];
    files.write("a.yaml", &three.join("---\n"));
    let mut folder = files.open();
    let first = folder.reload();
    assert_eq!(shared(&first, &folder.reload()), [true; 3], "nothing happened");

    let other = [persona("a", ""), persona("b", &alive("/other")), persona("c", "")];
    files.write("a.yaml", &format!("# a new head\n{}", other.join("---\n")));
    let changed = folder.reload();
    assert_eq!(shared(&first, &changed), [true, false, true]);

    files.rename("a.yaml", "b.yaml");
    let renamed = folder.reload();
    assert_eq!(shared(&changed, &renamed), [true; 3]);

    // From the later file to the earlier one, which is read first.
    files
        .write("a.yaml", &other[0])
        .write("b.yaml", &other[1..].join("---\n"));
    assert_eq!(shared(&renamed, &folder.reload()), [true; 3]);

    // An equal persona of another name is a different one.
    files.write("b.yaml", &[&*persona("d", &alive("/other")), &other[2]].join("---\n"));
    assert_eq!(names(&folder.reload()), ["default/a", "default/d", "default/c"]);
}

#[test]
fn what_is_no_folder_is_refused_with_a_way_out() {
    let files = Files::new();
    files.write("a.yaml", "");
    let refused = |name: &str| Folder::open(&[files.path(name)]).unwrap_err().to_string();
    assert!(refused("a.yaml").ends_with("a.yaml: not a folder; name the folder that the file is in"));
    assert!(
        refused("none").ends_with("none: No such file or directory (os error 2); name a folder with personas in it")
    );
}
