//! `/metrics` with a cluster, for authorized clients only; the API server authorizes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dorgu::k8s::{Access, ClusterSource, Denial, Memory, client};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::bed::{Bed, Dorgu, Needs, Options, write_kubeconfig};

/// Room for a busy machine, above the longest wait for the API server.
const SOON: Duration = Duration::from_secs(8);

/// A ServiceAccount, bound to a ClusterRole of these rules, and its token.
fn account(bed: &Bed, namespace: &str, name: &str, rules: &[Value]) -> String {
    let role = format!("{name}-{namespace}");
    let rbac = "rbac.authorization.k8s.io";
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules}),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": role},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.apply(&list.to_string()).expect_success();
    let token = bed.kubectl(&["create", "token", name, "--namespace", namespace, "--duration=1h"]);
    token.expect_success().trim().to_owned()
}

/// What dorgu needs to ask.
fn may_ask() -> Vec<Value> {
    let rule =
        |group: &str, resource: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": ["create"]});
    vec![
        rule("authentication.k8s.io", "tokenreviews"),
        rule("authorization.k8s.io", "subjectaccessreviews"),
    ]
}

/// What a scraper needs.
fn may_get() -> Vec<Value> {
    vec![json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})]
}

fn kubeconfig(folder: &Path, server: &str, ca: &Path, token: &str) -> PathBuf {
    let file = folder.join("kubeconfig");
    write_kubeconfig(&file, server, ca, token).expect("written");
    file
}

async fn access(kubeconfig: PathBuf, memory: Memory) -> Access {
    let config = ClusterSource::Kubeconfig(kubeconfig)
        .config()
        .await
        .expect("a configuration");
    Access::new(client(config).expect("a client"), "get", "/metrics", memory)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

#[test]
fn only_who_may_get_them_sees_metrics_under_a_certificate_of_their_own() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("metrics", &[]);
    let folder = TempDir::new().expect("a folder");
    let dorgu = account(bed, &namespace, "dorgu", &may_ask());
    let kubeconfig = kubeconfig(folder.path(), &bed.api_url(), &bed.ca_file(), &dorgu);
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let ca = own.cert.pem();
    fs::write(folder.path().join("chain.pem"), &ca).expect("written");
    fs::write(folder.path().join("key.pem"), own.signing_key.serialize_pem()).expect("written");
    let path = folder.path().display().to_string();
    let dorgu = Dorgu::with_cluster(
        &kubeconfig,
        &[
            "--metrics-secure",
            "--metrics-cert-path",
            &path,
            "--metrics-cert-name=chain.pem",
            "--metrics-cert-key=key.pem",
        ],
    );
    let url = dorgu.metrics_url();
    assert!(url.starts_with("https://"), "{url}");
    let get = |token: Option<&str>| run(crate::https::get_as(&url, &ca, token)).expect("an answer");

    let (status, line) = get(None);
    assert_eq!(
        (status, line.as_str()),
        (401, "no token; send the header Authorization: Bearer TOKEN\n")
    );
    let (status, line) = get(Some("made.up.token"));
    assert_eq!(status, 401, "{line}");
    assert!(line.starts_with("the API server does not accept this token"), "{line}");

    let nobody = account(bed, &namespace, "nobody", &[]);
    let (status, line) = get(Some(&nobody));
    assert_eq!(status, 403, "{line}");
    let told = format!("system:serviceaccount:{namespace}:nobody may not get /metrics; bind it to a ClusterRole with");
    assert!(line.starts_with(&told), "{line}");

    let scraper = account(bed, &namespace, "scraper", &may_get());
    let (status, text) = get(Some(&scraper));
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("dorgu_build_info"), "{text}");

    // Neither the probes nor the log give a token away.
    let said = dorgu.lines().join("\n");
    for token in ["made.up.token", &nobody, &scraper] {
        assert!(!said.contains(token), "{said}");
    }
}

#[test]
fn an_answer_is_believed_for_its_time_and_no_longer() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("metrics", &[]);
    let folder = TempDir::new().expect("a folder");
    let dorgu = account(bed, &namespace, "dorgu", &may_ask());
    let kubeconfig = kubeconfig(folder.path(), &bed.api_url(), &bed.ca_file(), &dorgu);
    let memory = Memory {
        yes: Duration::from_secs(3),
        no: Duration::from_secs(1),
    };
    let scraper = account(bed, &namespace, "scraper", &[]);
    run(async {
        let access = access(kubeconfig, memory).await;
        let denied = access.check(&scraper).await.expect_err("no right yet");
        assert!(matches!(denied, Denial::Forbidden { .. }), "{denied}");
        account(bed, &namespace, "scraper", &may_get());
        let granted = Instant::now();
        while access.check(&scraper).await.is_err() {
            assert!(granted.elapsed() < SOON, "the right is never noticed");
            sleep(Duration::from_millis(50)).await;
        }
        let allowed = Instant::now();
        bed.kubectl(&["delete", "serviceaccount", "scraper", "--namespace", &namespace])
            .expect_success();
        assert_eq!(access.check(&scraper).await, Ok(()), "remembered");
        // The API server itself caches a token for ten seconds more.
        let patience = Duration::from_secs(10) + SOON;
        let gone = loop {
            match access.check(&scraper).await {
                Err(denial) => break denial,
                Ok(()) => assert!(allowed.elapsed() < patience, "a deleted account still gets in"),
            }
            sleep(Duration::from_millis(50)).await;
        };
        println!("a deleted account is out after {:?}", allowed.elapsed());
        assert!(allowed.elapsed() >= memory.yes, "it was not remembered");
        assert_eq!(gone, Denial::UnknownToken);
    });
}

#[test]
fn without_the_right_to_ask_it_says_which_right_that_is() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("metrics", &[]);
    let folder = TempDir::new().expect("a folder");
    let dorgu = account(bed, &namespace, "dorgu", &[]);
    let kubeconfig = kubeconfig(folder.path(), &bed.api_url(), &bed.ca_file(), &dorgu);
    let denial = run(async { access(kubeconfig, Memory::default()).await.check("any").await });
    let denial = denial.expect_err("nobody can know").to_string();
    let told = "a ClusterRole must grant it create on tokenreviews.authentication.k8s.io";
    assert!(denial.contains(told), "{denial}");
}

#[test]
fn with_the_api_server_away_nobody_hangs_and_who_was_known_still_gets_in() {
    let Some(mut bed) = Bed::start(&Options::default()) else {
        return;
    };
    let folder = TempDir::new().expect("a folder");
    let asker = account(&bed, "default", "dorgu", &may_ask());
    let scraper = account(&bed, "default", "scraper", &may_get());
    let kubeconfig = kubeconfig(folder.path(), &bed.api_url(), &bed.ca_file(), &asker);
    let dorgu = Dorgu::with_cluster(&kubeconfig, &["--metrics-secure=true"]);
    let (url, ca) = (dorgu.metrics_url(), dorgu.ca_pem());
    let get = |token: &str| run(crate::https::get_as(&url, &ca, Some(token))).expect("an answer");
    assert_eq!(get(&scraper).0, 200, "under the webhook's certificate");

    bed.stop_api_server();
    let started = Instant::now();
    let (status, line) = get("another");
    assert_eq!(status, 503, "{line}");
    assert!(line.starts_with("cannot ask the API server who this is: "), "{line}");
    println!("API server away: refused after {:?}", started.elapsed());
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(get(&scraper).0, 200, "remembered");
    let told = dorgu
        .lines()
        .iter()
        .filter(|line| line.contains("Cannot ask the API server"))
        .count();
    assert_eq!(told, 1);
}
