//! What a program does, written down file by file, so that two programs can be compared: `tests/compare OLD NEW` has both
//! recorded and shows the difference.
//!
//! The program is the one that `DORGU_PROGRAM` names, the folder the one that `DORGU_RECORD` names; without it nothing is
//! recorded. Times and names that a run makes up are left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, Dorgu, Helm, Needs, Options, program, wait_until};
use crate::cases::Case;
use crate::cluster::api_server::{Ask, ask_all};
use crate::cluster::corpus::{MATCHINGS, Processes, Question, write_personas};
use crate::companion::{install_crds, timeless};
use crate::https;

/// How long the status controllers may take over the whole corpus on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(180);
/// This many reads in a row with the same status end the wait.
const SETTLED: usize = 40;

#[test]
fn what_the_program_does_is_written_down() {
    let Some(folder) = std::env::var_os("DORGU_RECORD").map(PathBuf::from) else {
        return;
    };
    fs::create_dir_all(&folder).expect("a folder to write to");
    commands(&folder);
    // A whole review names its own namespaces, which several cases share.
    let cases = Case::all()
        .into_iter()
        .enumerate()
        .filter(|(_, case)| case.review.is_none());
    let questions: Vec<Question> = cases.map(|(number, case)| Question::of(number, case)).collect();
    answers(&folder, &questions);
    statuses(&folder, &questions);
    if let Some(chart) = std::env::var_os("DORGU_RECORD_CHART").filter(|chart| !chart.is_empty()) {
        renderings(&folder, Path::new(&chart));
    }
}

/// What Helm makes of a chart with each set of values in its `ci/`.
fn renderings(folder: &Path, chart: &Path) {
    let Some(helm) = Helm::find() else { return };
    let shown = chart.display().to_string();
    for values in fs::read_dir(chart.join("ci")).expect("sets of values") {
        let values = values.expect("readable").path();
        let output = helm.run(&[
            "template",
            "dorgu-operator",
            &shown,
            "--values",
            &values.display().to_string(),
        ]);
        let name = values.file_name().unwrap_or_default().display();
        fs::write(folder.join(format!("chart {name}")), output.expect_success()).expect("written");
    }
}

/// What each command prints: flags and their defaults, definitions, manifests.
fn commands(folder: &Path) {
    let lines = [
        "--help",
        "serve --help",
        "crd --help",
        "manifests --help",
        "doctor --help",
        "version",
        "crd",
        "manifests",
        "manifests --webhook-mode=enforcing --match=chain",
    ];
    for line in lines {
        let output = Command::new(program())
            .args(line.split(' '))
            .output()
            .expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        let file = format!("command {}.txt", line.replace(['=', '-'], ""));
        fs::write(
            folder.join(file),
            [format!("{}\n", output.status).into_bytes(), said].concat(),
        )
        .expect("written");
    }
}

/// Every review of the corpus, asked of a process for each rule set, mode and `--match`; and the metrics afterwards.
fn answers(folder: &Path, questions: &[Question]) {
    let personas = write_personas(questions);
    let processes = Processes::start(&personas);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for (set, mode) in Case::COLUMNS {
        for matching in MATCHINGS {
            let dorgu = processes.of(set, mode, matching);
            dorgu.wait_for_line("the folder was read", |line| line.contains("persona folders"));
            let (url, ca) = (dorgu.webhook_url(), dorgu.ca_pem());
            let column = format!("{} {mode} {matching}", set.as_str());
            let mut answers = String::new();
            for question in questions {
                let review = question.review().to_string();
                let posted = https::post(&url, &ca, &review);
                let answer: Value = serde_json::from_str(&runtime.block_on(posted).expect("an answer")).expect("JSON");
                answers += &format!("{}: {:#}\n", question.case.name(), answer["response"]);
            }
            fs::write(folder.join(format!("answers {column}.txt")), answers).expect("written");
            let (_, metrics) = runtime.block_on(https::get(&dorgu.metrics_url())).expect("metrics");
            fs::write(folder.join(format!("metrics {column}.txt")), without_values(&metrics)).expect("written");
        }
    }
}

/// Names, types, texts and labels of metrics. What depends on the machine or the moment has other values each time; what
/// counts reviews has the same.
fn without_values(metrics: &str) -> String {
    let shown = metrics.lines().map(|line| match line.rsplit_once(' ') {
        Some((name, _)) if !line.starts_with('#') && !name.starts_with("dorgu_admission_requests_total") => name,
        _ => line,
    });
    let mut shown: Vec<&str> = shown.collect();
    shown.sort_unstable();
    shown.join("\n")
}

/// The status of every persona of the corpus beside its Deployments.
fn statuses(folder: &Path, questions: &[Question]) {
    let Some(bed) = Bed::start(&Options {
        needs: Needs::ApiServer,
        ..Options::default()
    }) else {
        return;
    };
    install_crds(&bed);
    let proxy = bed.proxy_url();
    let create = |path: String, body: Value| Ask {
        method: Method::POST,
        path,
        body,
    };
    // What the API server refuses is in no cluster.
    ask_all(&proxy, questions.iter().map(Question::make_namespace));
    let personas = questions.iter().flat_map(Question::personas).map(|persona| {
        let namespace = persona["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default")
            .to_owned();
        create(
            format!("/apis/dorgu.io/v1/namespaces/{namespace}/applicationpersonas"),
            persona,
        )
    });
    let stored = ask_all(&proxy, personas);
    let stored = stored.iter().filter(|reply| reply.succeeded()).count();
    assert!(stored > 100, "only {stored} personas are stored");
    // One whose name the API server makes up has another each time.
    let named = |ask: &Ask| !ask.body["metadata"]["name"].is_null();
    ask_all(&proxy, questions.iter().filter_map(Question::deployment).filter(named));
    let cluster = json!({"apiVersion": "dorgu.io/v1", "kind": "ClusterPersona", "metadata": {"name": "here"}, "spec": {"name": "here"}});
    ask_all(
        &proxy,
        [create("/apis/dorgu.io/v1/clusterpersonas".to_owned(), cluster)],
    );

    let _dorgu = Dorgu::companion(bed.kubeconfig(), &[]);
    let look = |kind: &str| {
        let path = format!("/apis/dorgu.io/v1/{kind}");
        let asked = ask_all(
            &proxy,
            [Ask {
                method: Method::GET,
                path,
                body: Value::Null,
            }],
        );
        let items = asked[0].body["items"].as_array().cloned().unwrap_or_default();
        let each = items.iter().map(|item| {
            let name = format!("{}/{}", item["metadata"]["namespace"], item["metadata"]["name"]);
            (name, timeless(&item["status"]))
        });
        each.collect::<Vec<_>>()
    };
    let (mut last, mut same) = (Vec::new(), 0);
    let settled = wait_until(TIMEOUT, "status no longer changes", || {
        let mut seen = look("applicationpersonas");
        seen.extend(look("clusterpersonas"));
        let silent = seen.iter().filter(|(_, status)| status.is_null()).count();
        same = if seen == last { same + 1 } else { 0 };
        last.clone_from(&seen);
        ensure!(silent == 0, "{silent} have no status");
        ensure!(same >= SETTLED, "it changed {same} looks ago");
        Ok(seen)
    });
    let settled = settled.unwrap_or_else(|error| panic!("{error:#}"));
    let shown: String = settled
        .iter()
        .map(|(name, status)| format!("{name}: {status:#}\n"))
        .collect();
    let timeless = shown.lines().filter(|line| !line.contains("\"lastDiscovery\""));
    fs::write(folder.join("status.txt"), timeless.collect::<Vec<_>>().join("\n")).expect("written");
}
