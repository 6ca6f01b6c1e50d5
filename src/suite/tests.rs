//! Suites as users write them, run in a folder: every kind of failure, and every kind of problem.

use std::path::Path;

use tempfile::TempDir;

use super::load::{Defaults, run};
use super::{Format, Results};
use crate::policy::Moment;
use crate::world::Deciding;

const SUITE: &str = r#"apiVersion: dorgu.io/v1
kind: PersonaTest
metadata: {name: orders}
namespace: shop
personas: [persona.yaml]
namespaces:
- {name: shop, labels: {dorgu.io/validate: "true", dorgu.io/mode: enforcing}}
deployments: [good.yaml, bad.yaml]
tests:
- deployment: good
  allowed: true
  findings: none
- deployment: bad
  allowed: false
  findings:
  - {rule: replicas-below-minimum, severity: error, standing: new, persona: orders}
  - {rule: cpu-limit-above-persona, container: api, severity: warning}
"#;

const PERSONA: &str = "\
apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: orders}
spec:
  name: orders
  type: api
  resources: {limits: {cpu: 500m}}
  scaling: {minReplicas: 2, maxReplicas: 6}
";

fn deployment(name: &str, replicas: usize, cpu: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app.kubernetes.io/name: orders}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app.kubernetes.io/name: orders}}}}
  template:
    metadata: {{labels: {{app.kubernetes.io/name: orders}}}}
    spec:
      containers:
      - name: api
        image: nginx
        resources: {{requests: {{cpu: 1m}}, limits: {{cpu: {cpu}}}}}
        securityContext: {{runAsNonRoot: true, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true}}
"
    )
}

fn folder(suite: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("persona.yaml", PERSONA);
    write("good.yaml", &deployment("good", 2, "500m"));
    write("bad.yaml", &deployment("bad", 1, "\"1\""));
    write("suite.yaml", suite);
    folder
}

fn run_in(folder: &Path, path: &str) -> Results {
    let defaults = Defaults {
        personas: Vec::new(),
        deciding: Deciding::default(),
        namespace: "default".to_owned(),
        at: Moment(1_800_000_000),
    };
    run(&[folder.join(path)], &defaults)
}

fn results(suite: &str) -> Results {
    let folder = folder(suite);
    run_in(folder.path(), "suite.yaml")
}

/// The suite with one change, which must be possible.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(SUITE.matches(from).count(), 1, "{from}");
    SUITE.replace(from, to)
}

/// All failures, `kind: expected <- found; …`.
fn failures(results: &Results) -> Vec<String> {
    assert!(results.problems.is_empty(), "{:?}", results.problems);
    let all = results.tests().flat_map(|test| &test.failures);
    all.map(|failure| {
        format!(
            "{}: {} <- {}",
            failure.kind.as_str(),
            failure.expected,
            failure.found.join("; ")
        )
    })
    .collect()
}

#[test]
fn a_suite_whose_expectations_hold_passes() {
    let results = results(SUITE);
    assert_eq!(failures(&results), Vec::<String>::new());
    assert_eq!((results.tests().count(), results.failed()), (2, 0));
    assert!(results.notes.is_empty(), "{:?}", results.notes);
}

#[test]
fn every_expectation_fails_when_it_is_broken() {
    const CPU: &str =
        "warning cpu-limit-above-persona, container api, persona orders: [api] CPU limit 1 exceeds persona limit 500m";
    const REPLICAS: &str = "error replicas-below-minimum, persona orders: replicas (1) below persona minimum (2)";
    let cpu = |list: &str| format!("finding-missing: {list} <- {REPLICAS}; {CPU}");
    let other = |found: &str| format!("finding-unexpected: no other finding <- {found}");
    for (from, to, wanted) in [
        (
            "  - {rule: cpu-limit-above-persona, container: api, severity: warning}\n",
            "",
            vec![other(CPU)],
        ),
        (
            "container: api, severity: warning",
            "container: api, severity: error",
            vec![cpu("error cpu-limit-above-persona, container api"), other(CPU)],
        ),
        (
            "container: api",
            "container: ap",
            vec![
                "unknown-name: container ap <- no such container; did you mean api? (of shop/bad)".to_owned(),
                other(CPU),
            ],
        ),
        (
            "cpu-limit-above-persona",
            "cpu-limit-above-person",
            vec![
                "unknown-name: rule cpu-limit-above-person <- no such rule; did you mean cpu-limit-above-persona?"
                    .to_owned(),
                other(CPU),
            ],
        ),
        (
            "rule: cpu-limit-above-persona",
            "rule: memory-limit-above-persona",
            vec![cpu("warning memory-limit-above-persona, container api"), other(CPU)],
        ),
        (
            "persona: orders}",
            "persona: order}",
            vec![
                "unknown-name: persona order <- no such persona; did you mean orders?".to_owned(),
                other(REPLICAS),
            ],
        ),
        (
            "standing: new",
            "standing: before",
            vec![
                cpu("error replicas-below-minimum, persona orders, before"),
                other(REPLICAS),
            ],
        ),
        (
            "standing: new",
            "standing: excepted",
            vec![
                cpu("error replicas-below-minimum, persona orders, excepted"),
                other(REPLICAS),
            ],
        ),
        (
            "allowed: false",
            "allowed: true",
            vec![format!("verdict: allowed <- denied; {REPLICAS}")],
        ),
        (
            "allowed: true",
            "allowed: false",
            vec!["verdict: denied <- allowed: it has no error that counts".to_owned()],
        ),
        (
            "dorgu.io/mode: enforcing",
            "dorgu.io/mode: advisory",
            vec![format!(
                "verdict: denied <- allowed: process, namespace and persona are advisory; {REPLICAS}"
            )],
        ),
        (
            "deployment: good",
            "deployment: god",
            vec!["unknown-name: Deployment god <- no such Deployment; did you mean good?".to_owned()],
        ),
        (
            "deployment: good",
            "deployment: shpo/good",
            vec!["unknown-name: Deployment shpo/good <- no such Deployment; did you mean shop/good?".to_owned()],
        ),
        (
            "findings: none",
            "governed: false",
            vec!["governed: no persona that governs shop/good <- governed by orders".to_owned()],
        ),
    ] {
        assert_eq!(failures(&results(&changed(from, to))), wanted, "{from} -> {to}");
    }
    // A list in place of none.
    let found = failures(&results(&changed(
        "deployment: bad\n  allowed: false\n  findings:\n  - {rule: replicas-below-minimum, severity: error, standing: new, persona: orders}\n  - {rule: cpu-limit-above-persona, container: api, severity: warning}\n",
        "deployment: bad\n  findings: none\n",
    )));
    let none = |found: &str| format!("finding-unexpected: no finding <- {found}");
    assert_eq!(found, [none(REPLICAS), none(CPU)]);
    // And nothing found where something is expected.
    let found = failures(&results(&changed(
        "findings: none",
        "findings: [{rule: replicas-below-minimum}]",
    )));
    assert_eq!(found, ["finding-missing: replicas-below-minimum <- no finding"]);
}

#[test]
fn a_deployment_that_no_persona_governs_passes_only_where_that_is_expected() {
    let other = SUITE.replace("[good.yaml, bad.yaml]", "[good.yaml, bad.yaml, other.yaml]");
    let other = |test: &str| {
        let folder = folder(&format!("{other}- {{deployment: other, {test}}}\n"));
        let text = deployment("other", 2, "500m").replace("name: orders", "name: billing");
        std::fs::write(folder.path().join("other.yaml"), text).expect("written");
        failures(&run_in(folder.path(), "suite.yaml"))
    };
    let none = "governed by none; the personas of the suite are shop/orders";
    assert_eq!(
        other("findings: none"),
        [format!(
            "governed: a persona that governs shop/other (governed: false expects none) <- {none}"
        )]
    );
    assert_eq!(
        other("governed: true"),
        [format!("governed: a persona that governs shop/other <- {none}")]
    );
    assert_eq!(other("findings: none, governed: false"), Vec::<String>::new());
}

#[test]
fn an_update_is_compared_with_what_it_replaces() {
    let update = |test: &str| failures(&results(&format!("{SUITE}- {test}\n")));
    assert_eq!(
        update(
            "{new: bad.yaml, old: bad.yaml, allowed: true, findings: [{rule: replicas-below-minimum, standing: before}, {rule: cpu-limit-above-persona}]}"
        ),
        Vec::<String>::new()
    );
    let [failure] = <[String; 1]>::try_from(update("{new: bad.yaml, old: good.yaml, allowed: true}")).expect("one");
    assert_eq!(
        failure,
        "unknown-name: old Deployment shop/bad <- no such Deployment; did you mean shop/good?"
    );
}

#[test]
fn deployments_may_stand_in_the_suite() {
    let inline = deployment("inline", 1, "500m").replace('\n', "\n    ");
    let suite = format!("{SUITE}- allowed: false\n  new:\n    {inline}\n");
    let results = results(&suite);
    assert_eq!(failures(&results), Vec::<String>::new());
    let last = results.tests().last().expect("a test");
    assert_eq!(last.deployment, "shop/inline");
    // The finding stands in the suite.
    let line = 1 + suite
        .lines()
        .position(|line| line.contains("replicas: 1"))
        .expect("a line");
    assert_eq!(last.findings[0].location.start.line, line);
    // And so may personas.
    let persona = PERSONA.trim_end().replace('\n', "\n  ");
    let suite = SUITE.replace("[persona.yaml]", &format!("\n- {persona}"));
    assert_eq!(failures(&self::results(&suite)), Vec::<String>::new());
}

#[test]
fn what_an_api_server_would_refuse_fails_its_test() {
    let folder = folder(SUITE);
    let text = deployment("good", 2, "500m").replace("replicas: 2", "replicas: two");
    std::fs::write(folder.path().join("good.yaml"), text).expect("written");
    let found = failures(&run_in(folder.path(), "suite.yaml"));
    assert!(found[0].starts_with("unreadable: a Deployment at "), "{found:?}");
    assert!(found[0].contains("the API server would refuse it"), "{found:?}");
}

/// All problems, `line: reason`.
fn problems(results: &Results) -> Vec<String> {
    let all = results.problems.iter();
    all.map(|problem| format!("{}: {}", problem.line.unwrap_or_default(), problem.reason))
        .collect()
}

#[test]
fn what_is_wrong_with_a_suite_is_said_with_its_line() {
    for (from, to, wanted) in [
        (
            "deployment: good",
            "deploymant: good",
            "10: tests[0].deploymant: unknown field `deploymant`",
        ),
        (
            "severity: warning}",
            "severity: warn}",
            "17: tests[1].findings[1].severity: unknown variant `warn`",
        ),
        (
            "findings: none",
            "findings: no",
            "12: tests[0].findings: invalid type: boolean `false`, expected none or a list",
        ),
        (
            "[persona.yaml]",
            "[personas.yaml]",
            "5: personas.yaml: No such file or directory (os error 2); paths are relative",
        ),
        ("[good.yaml, bad.yaml]", "[good.yml, bad.yaml]", "8: good.yml: "),
        (
            "  allowed: true\n  findings: none\n",
            "",
            "10: expects nothing: add findings",
        ),
        ("- deployment: good\n  allowed", "- allowed", "10: names no Deployment"),
        (
            "- {name: shop,",
            "- {name: shpo,",
            "7: namespace shpo has no Deployment and no persona: no such namespace; did you mean shop?",
        ),
        (
            "dorgu.io/mode: enforcing",
            "dorgu.io/mod: enforcing",
            "7: label dorgu.io/mod means nothing: no such label; did you mean dorgu.io/mode?",
        ),
        (
            "namespace: shop",
            "namespace: shop\nat: tomorrow",
            "5: is no time such as",
        ),
        (
            "namespace: shop",
            "namespace: shop\nsettings: {exceptionMax: x}",
            "5: \"x\": it is not a length of time",
        ),
        (
            "namespace: shop",
            "namespace: shop\noldDeployments: [persona.yaml]",
            "5: persona.yaml: no Deployment in it",
        ),
        (
            "kind: PersonaTest",
            "kind: PersonaTests",
            "2: no such kind; did you mean PersonaTest?",
        ),
        (
            "v1\nkind: PersonaTest",
            "v2\nkind: PersonaTest",
            "2: apiVersion \"dorgu.io/v2\": a PersonaTest has dorgu.io/v1",
        ),
        ("deployments: [", "deployments: [}", "8: "),
    ] {
        let found = problems(&results(&changed(from, to)));
        assert!(
            found.iter().any(|found| found.starts_with(wanted)),
            "{from} -> {to}: {found:?}"
        );
    }
    let old = "namespace: shop\noldDeployments: [good.yaml]";
    let folder = folder(
        &changed("namespace: shop", old).replace("deployments: [good.yaml, bad.yaml]", "deployments: [bad.yaml]"),
    );
    let found = problems(&run_in(folder.path(), "suite.yaml"));
    assert!(
        found[0].starts_with("5: shop/good (") && found[0].contains(") is replaced by none: "),
        "{found:?}"
    );
}

#[test]
fn a_folder_is_searched_for_suites_and_one_without_fails() {
    let folder = folder(SUITE);
    assert_eq!(run_in(folder.path(), "").tests().count(), 2);
    std::fs::remove_file(folder.path().join("suite.yaml")).expect("removed");
    let found = problems(&run_in(folder.path(), ""));
    assert!(found[0].contains("no suite in it"), "{found:?}");
    let found = problems(&run_in(folder.path(), "good.yaml"));
    assert!(found[0].contains("no suite in it"), "{found:?}");
}

#[test]
fn a_namespace_that_is_not_opted_in_is_named() {
    let results = results(&changed("dorgu.io/validate: \"true\", ", ""));
    assert_eq!(failures(&results), Vec::<String>::new());
    assert!(
        results.notes[0].contains("namespace shop has no label dorgu.io/validate"),
        "{:?}",
        results.notes
    );
}

#[test]
fn a_persona_that_is_wrong_is_a_problem_of_the_run() {
    let folder = folder(SUITE);
    let text = PERSONA.replace("type: api", "type: apy");
    std::fs::write(folder.path().join("persona.yaml"), text).expect("written");
    let found = problems(&run_in(folder.path(), "suite.yaml"));
    assert!(found[0].starts_with("6: spec.type: "), "{found:?}");
}

fn rendered(format: Format, results: &Results, with_coverage: bool) -> String {
    format.render(results, with_coverage).expect("text")
}

/// The lines about a persona's demands, `RULE: NEVER SEEN`.
fn gaps(results: &Results) -> Vec<String> {
    let text = rendered(Format::Table, results, true);
    let lines = text.lines().filter_map(|line| line.strip_prefix("shop/orders "));
    lines
        .map(|line| {
            let (rule, never) = line.trim().split_once(' ').expect("two columns");
            format!("{rule}: {}", never.trim())
        })
        .collect()
}

#[test]
fn coverage_names_what_no_test_has_seen() {
    assert_eq!(
        gaps(&results(SUITE)),
        [
            "cpu-limit-missing: violated",
            "requests-missing: violated",
            "replicas-above-maximum: violated"
        ]
    );
    let good = "- deployment: good\n  allowed: true\n  findings: none\n";
    assert_eq!(
        gaps(&results(&changed(good, ""))),
        [
            "cpu-limit-above-persona: passing",
            "cpu-limit-missing: violated",
            "requests-missing: violated",
            "replicas-below-minimum: passing",
            "replicas-above-maximum: violated"
        ]
    );
    let found = gaps(&results(
        &changed("deployment: good", "deployment: god").replace("- deployment: bad", "- deployment: bed"),
    ));
    assert_eq!(
        found.first().map(String::as_str),
        Some("cpu-limit-above-persona: violated, passing")
    );
}

#[test]
fn all_formats_hold_the_same_failures() {
    let results = results(&changed("container: api", "container: ap"));
    let table = rendered(Format::Table, &results, false);
    assert!(
        table.contains("suite.yaml:13: shop/bad\n  expected  container ap\n  found     no such container"),
        "{table}"
    );
    assert!(table.ends_with("2 tests, 1 passed, 1 failed\n"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&rendered(Format::Json, &results, false)).expect("JSON");
    let failed = &json["suites"][0]["tests"][1];
    assert_eq!(failed["result"], "fail");
    assert_eq!(failed["failures"][0]["kind"], "unknown-name");
    assert_eq!(failed["failures"].as_array().map(Vec::len), Some(2));
    let junit = rendered(Format::Junit, &results, false);
    assert!(
        junit.contains("<testsuites name=\"dorgu test\" tests=\"2\" failures=\"1\" errors=\"0\">"),
        "{junit}"
    );
    assert_eq!(junit.matches("<failure ").count(), 1, "{junit}");
    assert_eq!(junit.matches("found: ").count(), 2, "{junit}");
}
