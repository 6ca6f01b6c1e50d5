//! The bed itself: it starts, its facts are right, and it leaves nothing behind.

mod assets;
mod dorgu;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;

use super::scratch::Scratch;
use super::supervised::Supervised;
use super::{Bed, Needs, Options, Registration, assets_for, sum, wait_until};

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn objects_are_admitted_stored_and_counted() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("stored", &[("dorgu.io/validate", "true")]);
    bed.apply(&deployment(&namespace, "web", 1)).expect_success();

    let image = "-o=jsonpath={.spec.template.spec.containers[0].image}";
    let stored = bed.kubectl(&["get", "deployment", "web", "-n", &namespace, image]);
    assert_eq!(stored.expect_success(), "example.org/web:1");
    let label = bed.kubectl(&[
        "get",
        "namespace",
        &namespace,
        r"-o=jsonpath={.metadata.labels.dorgu\.io/validate}",
    ]);
    assert_eq!(label.expect_success(), "true");
    assert!(bed.metric("apiserver_request_total") > 0.0);
    assert_eq!(bed.metric("no_such_metric"), 0.0);
}

#[test]
fn a_refusal_and_a_warning_are_answers_to_judge() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("judged", &[]);
    let nameless = deployment(&namespace, "web", 1).replace("name: web", "name: Web!");
    assert!(
        bed.apply(&nameless)
            .expect_failure()
            .contains("a lowercase RFC 1123 subdomain")
    );

    // The API server itself warns of a repeated variable name.
    let repeated = "env: [{name: A, value: '1'}, {name: A, value: '2'}]";
    let output = bed.apply(&deployment(&namespace, "web", 1).replace("env: []", repeated));
    assert_eq!(output.warnings().len(), 1, "{output}");
    assert!(
        output.warnings()[0].contains("hides previous definition of \"A\""),
        "{output}"
    );
    output.expect_success();
}

#[test]
fn a_client_of_its_own_reaches_the_api_server_in_three_ways() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let (url, ca) = (bed.api_url(), bed.ca_file().display().to_string());
    let by_hand = [
        "--kubeconfig=/dev/null",
        "--server",
        &url,
        "--certificate-authority",
        &ca,
    ];
    let with_token = [
        &by_hand[..],
        &["--token", bed.admin_token(), "auth", "whoami", "-o=name"],
    ]
    .concat();
    bed.kubectl(&with_token).expect_success();
    let with_another = [&by_hand[..], &["--token=guessed", "get", "namespaces"]].concat();
    assert!(bed.kubectl(&with_another).expect_failure().contains("Unauthorized"));

    let kubeconfig = bed.kubeconfig().display().to_string();
    bed.kubectl(&["--kubeconfig", &kubeconfig, "get", "namespaces"])
        .expect_success();

    let proxy = bed.proxy_url();
    let mut stream = TcpStream::connect(proxy.strip_prefix("http://").unwrap()).unwrap();
    stream
        .write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"gitVersion\""),
        "{answer}"
    );
    assert_eq!(bed.proxy_url(), proxy);
}

#[test]
fn a_deployment_becomes_available_and_its_pods_end_with_it() {
    let Some(bed) = Bed::shared(Needs::Rollouts) else {
        return;
    };
    let namespace = bed.namespace("rollout", &[]);
    bed.apply(&deployment(&namespace, "web", 3)).expect_success();
    let in_namespace = ["-n", &namespace];
    let wait = ["wait", "deployment/web", "--for=condition=Available", "--timeout=60s"];
    bed.kubectl(&[&wait[..], &in_namespace].concat()).expect_success();
    let ready = ["get", "deployment", "web", "-o=jsonpath={.status.readyReplicas}"];
    assert_eq!(bed.kubectl(&[&ready[..], &in_namespace].concat()).expect_success(), "3");

    bed.kubectl(&[&["delete", "deployment", "web"][..], &in_namespace].concat())
        .expect_success();
    let gone = ["wait", "pod", "--all", "--for=delete", "--timeout=60s"];
    bed.kubectl(&[&gone[..], &in_namespace].concat()).expect_success();
}

#[test]
fn a_restart_keeps_objects_and_address() {
    let Some(mut bed) = Bed::start(&Options::default()) else {
        return;
    };
    let namespace = bed.namespace("kept", &[]);
    let url = bed.api_url();
    bed.apply(&deployment(&namespace, "web", 1)).expect_success();

    bed.stop_api_server();
    let squatter = TcpListener::bind(url.strip_prefix("https://").unwrap()).unwrap();
    let error = format!("{:#}", bed.plane.start_api_server().unwrap_err());
    assert!(
        error.contains("it ended with") && error.contains("address already in use"),
        "{error}"
    );
    drop(squatter);
    let error = bed.kubectl(&["get", "namespaces"]).expect_failure();
    assert!(error.contains("was refused"), "{error}");

    bed.restart();
    assert_eq!(bed.api_url(), url);
    bed.kubectl(&["get", "deployment", "web", "-n", &namespace])
        .expect_success();

    let (folder, pids) = (bed.folder().to_owned(), bed.pids());
    assert_eq!(pids.len(), 2);
    drop(bed);
    assert!(!folder.exists());
    assert!(!pids.into_iter().any(runs));
}

#[test]
fn an_api_server_that_cannot_start_says_why() {
    let Some(assets) = assets_for(Needs::ApiServer) else {
        return;
    };
    let options = Options {
        api_server_flags: vec!["--no-such-flag".to_owned()],
        ..Options::default()
    };
    let error = format!("{:#}", Bed::on(assets, &options).err().unwrap());
    assert!(error.contains("it ended with exit status: 1"), "{error}");
    assert!(error.contains("unknown flag: --no-such-flag"), "{error}");
}

#[test]
fn the_registration_sends_what_matters_of_its_own_namespace_and_nothing_else() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let opted_in = [("dorgu.io/validate", "true")];
    let (mine, other) = (bed.namespace("mine", &opted_in), bed.namespace("other", &opted_in));
    let webhook = Knocks::new();
    let mut registration = Registration {
        namespace: mine.clone(),
        url: format!("https://127.0.0.1:{}/validate-deployment", webhook.port),
        ca_pem: fs::read_to_string(bed.ca_file()).unwrap(),
        match_label: true,
        timeout_seconds: 3,
        personas: false,
    };
    bed.register(&registration);

    let web = deployment(&mine, "web", 1);
    let unlabelled = |name: &str| deployment(&mine, name, 1).replace("labels: {app.kubernetes.io/name: web}", "");
    let kubectl = |args: &[&str]| bed.kubectl(&[args, &["-n", &mine]].concat());
    assert!(webhook.knocked(|| bed.apply(&web)), "create");
    assert!(
        webhook.knocked(|| kubectl(&["annotate", "deployment", "web", "note=1"])),
        "annotation"
    );
    assert!(
        webhook.knocked(|| kubectl(&["label", "deployment", "web", "team=x"])),
        "label"
    );
    assert!(
        webhook.knocked(|| kubectl(&["label", "deployment", "web", "app.kubernetes.io/name-"])),
        "label gone"
    );
    assert!(
        webhook.knocked(|| kubectl(&["label", "deployment", "web", "app.kubernetes.io/name=web"])),
        "label back"
    );
    assert!(
        webhook.knocked(|| kubectl(&["set", "image", "deployment", "web", "web=example.org/web:2"])),
        "image"
    );
    assert!(
        webhook.knocked(|| kubectl(&["scale", "deployment", "web", "--replicas=2"])),
        "scale"
    );
    assert!(!webhook.knocked(|| kubectl(&["delete", "deployment", "web"])), "delete");
    assert!(!webhook.knocked(|| bed.apply(&unlabelled("plain"))), "unlabelled");
    assert!(
        !webhook.knocked(|| bed.apply(&deployment(&other, "web", 1))),
        "another namespace"
    );

    registration.match_label = false;
    bed.register(&registration);
    assert!(
        webhook.knocked(|| bed.apply(&unlabelled("plain-too"))),
        "unlabelled, with --match chain"
    );
    bed.unregister(&registration);
    assert!(!webhook.knocked(|| bed.apply(&web)), "unregistered");

    registration.namespace = bed.namespace("not-opted-in", &[]);
    bed.register(&registration);
    let not_opted_in = deployment(&registration.namespace, "web", 1);
    assert!(!webhook.knocked(|| bed.apply(&not_opted_in)), "not opted in");
}

/// The one process that runs this test twice: the inner run holds a bed until the outer one kills it.
#[test]
fn a_killed_test_process_leaves_nothing_behind() {
    const HOLD: &str = "DORGU_BED_HOLD";
    if assets_for(Needs::ApiServer).is_none() {
        return;
    }
    if std::env::var_os(HOLD).is_some() {
        let bed = Bed::shared(Needs::ApiServer).unwrap();
        bed.proxy_url();
        let pids: Vec<String> = bed.pids().iter().map(u32::to_string).collect();
        println!("\nholding {} {}", pids.join(","), bed.folder().display());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let mut inner = rerun("a_killed_test_process_leaves_nothing_behind");
    let mut inner = inner
        .env(HOLD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(inner.stdout.take().unwrap()).lines();
    let held = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("holding ").map(str::to_owned))
        .unwrap();
    let (pids, folder) = held.split_once(' ').unwrap();
    let (pids, folder) = (pids.split(',').map(|pid| pid.parse().unwrap()), PathBuf::from(folder));
    let pids: Vec<u32> = pids.collect();
    assert_eq!(pids.len(), 3, "API server, etcd, proxy");
    assert!(pids.iter().copied().all(runs));
    assert!(folder.join("etcd").exists());

    inner.kill().unwrap();
    inner.wait().unwrap();
    let gone = wait_until(TIMEOUT, "processes and data are gone", || {
        ensure!(!pids.iter().copied().any(runs), "some of {pids:?} run");
        ensure!(!folder.join("etcd").exists(), "{} has data", folder.display());
        Ok(())
    });
    gone.unwrap();
    // The logs stay for reading.
    await_sweep(&folder);
}

#[test]
fn a_folder_is_swept_only_when_its_process_is_dead() {
    let mine = Scratch::new().unwrap();
    let unlocked = mine
        .path()
        .with_file_name(format!("dorgu-bed-dead-{}", std::process::id()));
    fs::create_dir(&unlocked).unwrap();
    fs::write(unlocked.join("lock"), "").unwrap();
    await_sweep(&unlocked);
    assert!(mine.path().join("lock").exists());
}

/// The next bed sweeps a dead one's folder, unless another process is just doing it.
fn await_sweep(folder: &Path) {
    let swept = wait_until(TIMEOUT, "the folder is swept", || {
        drop(Scratch::new()?);
        ensure!(!folder.exists(), "{} is there", folder.display());
        Ok(())
    });
    swept.unwrap();
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_and_that_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let log = scratch.path().join("log");
    let script = "trap '' TERM; echo deaf; while :; do sleep 0.01; done";
    let mut deaf = Supervised::start("sh", None, |command| {
        command.args(["-c", script]).stdout(File::create(&log).unwrap());
    })
    .unwrap();
    let trapped = wait_until(TIMEOUT, "the trap is set", || {
        ensure!(fs::read_to_string(&log)? == "deaf\n", "it said nothing yet");
        Ok(())
    });
    trapped.unwrap();
    let error = deaf.stop(Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(!runs(deaf.pid()));
}

#[test]
fn samples_of_a_metric_are_summed_and_its_namesakes_are_not() {
    let text = "# TYPE a counter\na{x=\"1 2\"} 3\na{x=\"2\"} 4e1\na_total 100\nb 7\n";
    assert_eq!(sum(text, "a"), 43.0);
    assert_eq!(sum(text, "b"), 7.0);
    assert_eq!(sum(text, "c"), 0.0);
}

/// A listener that closes every connection at once, and counts them.
struct Knocks {
    port: u16,
    count: Arc<AtomicUsize>,
}

impl Knocks {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, count) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        Self { port, count }
    }

    /// Whether any connection came while a command ran that has to succeed, webhook or not.
    fn knocked(&self, command: impl FnOnce() -> super::kubectl::Output) -> bool {
        let before = self.count.load(Ordering::SeqCst);
        command().expect_success();
        self.count.load(Ordering::SeqCst) > before
    }
}

/// A labelled Deployment with one container.
fn deployment(namespace: &str, name: &str, replicas: u32) -> String {
    format!(
        r"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels: {{app.kubernetes.io/name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: web, image: 'example.org/web:1', env: []}}]
"
    )
}

/// This test binary with one test of this file.
fn rerun(test: &str) -> Command {
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([&format!("{module}::{test}"), "--exact", "--nocapture"])
        .env_remove("RUST_TEST_THREADS");
    command
}

/// Whether a process exists and is more than a zombie.
fn runs(pid: u32) -> bool {
    let exists = Command::new("sh")
        .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &pid.to_string()])
        .status();
    // After the name, which is in parentheses and may hold anything, comes the state.
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let zombie = stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z')));
    exists.unwrap().success() && !zombie
}
