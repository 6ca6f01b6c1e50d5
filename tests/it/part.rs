//! A part that exists only in this test: with one file and one line it takes effect in `serve`, readiness, metrics, their
//! reference, rights and manifests.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use axum::body::Body;
use axum::routing::post;
use clap::Args;
use dorgu::install::Installation;
use dorgu::k8s::{Decode, Event, Resource, Unreadable, WatchState, follow};
use dorgu::metric::{ALONE, Described};
use dorgu::runtime::{About, Admission, Grant, Handler, Part, Watched};
use dorgu::serve::parts::{self, Entry, PartError, Surroundings};
use dorgu::serve::reference::sections;
use dorgu::server::upgrade::switch;
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, WebhookClientConfig};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::PolicyRule;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::bed::{Bed, Dorgu, Needs, wait_until};
use crate::server::support::{Client, trusting};
use crate::server::upgraded::{ASK, echo};

const TIMEOUT: Duration = Duration::from_secs(60);
/// Where [`the_process`] finds its arguments, as a JSON list.
const ARGUMENTS: &str = "TEST_PART_ARGUMENTS";

static LEADS: Described = Described::gauge(
    "dorgu_test_leads",
    &[],
    "Whether the leader's task has begun",
    "a cluster",
);

/// The flags of the part.
#[derive(Args, Default)]
#[group(skip)]
#[command(next_help_heading = "Tests")]
struct TestFlags {
    /// How an answer begins.
    #[arg(long, value_name = "WORD", env = "DORGU_TEST_WORD")]
    test_word: Option<String>,
}

static ABOUT: About = About {
    kinds: &["ConfigMap"],
    families: &[("Tests", &[&LEADS])],
    grants: &[Grant::everywhere("", "configmaps", &["list", "watch"])],
    admission: &[Admission {
        webhook: "validate-configmap.dorgu.io",
        path: "/validate-configmap",
        switch: "",
        entry,
    }],
    flags: TestFlags::augment_args,
    ..About::named("test")
};

fn entry(client_config: WebhookClientConfig) -> ValidatingWebhook {
    ValidatingWebhook {
        name: "validate-configmap.dorgu.io".to_owned(),
        side_effects: "None".to_owned(),
        client_config,
        ..ValidatingWebhook::default()
    }
}

/// A ConfigMap of which nothing is kept.
#[derive(Clone)]
struct AnyMap;

impl Decode for AnyMap {
    fn decode(_: &str) -> Result<AnyMap, Unreadable> {
        Ok(AnyMap)
    }
}

#[derive(Debug)]
struct Leads(Arc<AtomicBool>);

impl Collector for Leads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        LEADS.gauges(&mut encoder, [(ALONE, i64::from(self.0.load(Ordering::Relaxed)))])
    }
}

fn build(surroundings: &mut Surroundings<'_>) -> Result<Option<Part>, PartError> {
    // Absent where its flag asks for nothing.
    let word = surroundings.flags::<TestFlags>()?.test_word;
    let Some(word) = word.filter(|word| word != "none") else {
        return Ok(None);
    };
    let leads = Arc::new(AtomicBool::new(false));
    let kind = Resource::of::<ConfigMap>();
    let state = Arc::new(WatchState::new(&kind));
    let (set, watch) = (Arc::clone(&leads), Arc::clone(&state));
    let checked = Arc::clone(&leads);
    let part = Part::new(&ABOUT);
    let ends = word == "ends";
    Ok(Some(Part {
        everywhere: vec![Box::new(move |client, _| {
            Box::pin(async move {
                if !ends {
                    follow(client, kind, watch, |_: Event<AnyMap>| {}).await;
                }
            })
        })],
        leading: vec![Box::new(move |_, mut leadership| {
            Box::pin(async move {
                leadership.until_held().await;
                set.store(true, Ordering::Relaxed);
                std::future::pending::<()>().await;
            })
        })],
        watches: vec![Watched {
            check: "config-maps",
            kind: "ConfigMap",
            state,
            leading: false,
        }],
        checks: part.checks.with("test-leads", move || {
            let leads = checked.load(Ordering::Relaxed);
            leads
                .then_some(())
                .ok_or_else(|| "the leader's task has not begun".to_owned())
        }),
        collectors: vec![Box::new(Leads(leads))],
        admission: vec![Handler {
            path: "/validate-configmap",
            answers: post(|body: String| async move { format!("{word}: {body}") })
                .get(async || switch::<Body>("echo", echo)),
        }],
        ..part
    }))
}

/// A part after it, whose flags set no heading.
static PLAIN: About = About {
    flags: PlainFlags::augment_args,
    ..About::named("plain")
};

#[derive(Args)]
#[group(skip)]
struct PlainFlags {
    /// Has no effect.
    #[arg(long, value_name = "WORD")]
    plain_word: Option<String>,
}

/// The list of the shipped process and one line more.
fn with_the_part() -> &'static [Entry] {
    let mine = Entry { about: &ABOUT, build };
    let plain = Entry {
        about: &PLAIN,
        build: |surroundings| surroundings.flags::<PlainFlags>().map(|_| None),
    };
    Box::leak(parts::ALL.iter().copied().chain([mine, plain]).collect())
}

/// Does nothing unless [`a_part_takes_effect_everywhere`] starts it as a process of its own.
#[test]
fn the_process() {
    let Some(arguments) = std::env::var_os(ARGUMENTS) else {
        return;
    };
    let arguments: Vec<String> = serde_json::from_str(&arguments.to_string_lossy()).expect("a list");
    let arguments = ["dorgu".to_owned()].into_iter().chain(arguments).map(Into::into);
    assert_eq!(dorgu::cli::main_with(arguments, with_the_part()), ExitCode::SUCCESS);
}

#[test]
fn a_declared_part_is_in_manifests_rights_and_reference() {
    let declared = with_the_part().iter().map(|entry| entry.about);
    let objects = Installation::of(declared).objects();
    let rule = |resource: &str| PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: vec!["list".to_owned(), "watch".to_owned()],
        ..PolicyRule::default()
    };
    let rules = objects.cluster_role.rules.expect("rules");
    assert!(rules.contains(&rule("configmaps")), "{rules:?}");
    let entries = objects.validating_webhook.webhooks.expect("entries");
    let paths = entries
        .iter()
        .filter_map(|entry| entry.client_config.service.as_ref()?.path.as_deref());
    assert_eq!(
        paths.collect::<Vec<_>>(),
        [
            "/validate-deployment",
            "/validate-deployment",
            "/validate-persona",
            "/validate-configmap"
        ]
    );
    let sections = sections(with_the_part());
    let tests = sections
        .iter()
        .find(|section| section.title == "Tests")
        .expect("a section");
    assert_eq!(tests.families[0].name, "dorgu_test_leads");
}

#[test]
fn the_flags_of_a_part_are_flags_of_serve() {
    let mut command = dorgu::cli::command_with(with_the_part());
    let page = crate::generated::flags::page(command.clone());
    assert!(page.contains("`DORGU_TEST_WORD`"), "{page}");
    let serve = command.find_subcommand_mut("serve").expect("serve");
    let help = serve.render_help().to_string();
    assert!(help.contains("Tests:\n      --test-word <WORD>"), "{help}");
    let (_, tests) = help.split_once("Tests:\n").expect("its heading");
    let (options, _) = help.split_once("With a cluster").expect("a heading");
    assert!(
        options.contains("--plain-word") && !tests.contains("--plain-word"),
        "{help}"
    );
    let line = ["dorgu", "serve", "--test-word", "none"];
    let line = dorgu::cli::command_with(with_the_part()).get_matches_from(line);
    let line = line.subcommand_matches("serve").expect("serve");
    assert_eq!(ABOUT.given(line), ["--test-word"]);
}

/// A process with the part and this word for it.
fn process(bed: &Bed, word: &str) -> Dorgu {
    let this = std::env::current_exe().expect("this test");
    Dorgu::of_program(&this, bed.kubeconfig(), |arguments| {
        let list = serde_json::to_string(&[arguments, vec![format!("--test-word={word}")]].concat()).expect("JSON");
        let test = ["part::the_process", "--exact", "--nocapture"].map(str::to_owned);
        (test.to_vec(), vec![(ARGUMENTS.to_owned(), list)])
    })
}

#[test]
fn a_task_that_ends_ends_the_process_with_the_name_of_its_part() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let mut dorgu = process(bed, "ends");
    dorgu.wait();
    let lines = dorgu.lines().join("\n");
    assert!(
        lines.contains("dorgu: a task of the part test ended although it never should"),
        "{lines}"
    );
}

#[test]
fn a_part_takes_effect_everywhere() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    crate::watched::install_crds(bed);
    let mut dorgu = process(bed, "judged");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let probe = format!("{}/readyz?verbose", dorgu.probes_url());
    let ready = wait_until(TIMEOUT, "the process is ready", || {
        let (status, text) = runtime.block_on(crate::https::get(&probe))?;
        ensure!(
            status == 200 && text.contains("[+]config-maps ok: last event"),
            "{text}"
        );
        Ok(text)
    });
    let ready = ready.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", dorgu.lines().join("\n")));
    assert!(ready.contains("[+]test-leads ok"), "{ready}");
    let metrics = runtime
        .block_on(crate::https::get(&dorgu.metrics_url()))
        .expect("an answer")
        .1;
    assert!(metrics.contains("\ndorgu_test_leads 1\n"), "{metrics}");
    assert!(
        metrics.contains(r#"dorgu_watch_errors_total{kind="ConfigMap"} 0"#),
        "{metrics}"
    );
    let url = dorgu
        .webhook_url()
        .replace("/validate-deployment", "/validate-configmap");
    let answer = runtime.block_on(crate::https::post(&url, &dorgu.ca_pem(), "{}"));
    assert_eq!(answer.expect("an answer"), "judged: {}");

    let (address, path) = url.trim_start_matches("https://").split_once('/').expect("a path");
    let ask = ASK.replace("/stream", &format!("/{path}"));
    let client = trusting(dorgu.ca_pem().as_bytes());
    runtime.block_on(async {
        let mut stream = Client::connect(address.parse().expect("an address"), &client)
            .await
            .expect("TLS");
        stream.send(ask).await.expect("sent");
        assert_eq!(stream.answer().await.expect("an answer").status, 101);
        stream.send("here").await.expect("sent");
        assert_eq!(stream.bytes(4).await.expect("an echo"), b"here");
        dorgu.signal("TERM");
        assert_eq!(stream.bytes(3).await.expect("goodbye"), b"bye");
        stream.closed().await.expect("closed in order");
    });
    assert!(dorgu.wait().success());
}
