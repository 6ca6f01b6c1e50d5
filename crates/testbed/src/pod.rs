//! A pod without a node: the `dorgu` process with the arguments, the environment and the account that a Deployment on the API
//! server gives it, started by a test in place of a kubelet.
//!
//! The process finds what pods find: its token, the CA and its namespace below `/var/run/secrets`, a read-only root file
//! system, a user without any capability. All of that is in Linux namespaces of its own, so that nothing on the machine
//! changes. This needs Linux and root. This file knows kubelets' rules; of flags it knows only those of the listeners.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::dorgu::built;
use super::image::Root;
use super::supervised::wait_until;
use super::{Bed, Dorgu, skip_without_rights};

/// Time for a start on a machine that is busy compiling.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A kubelet probes every `periodSeconds`. This one probes more often.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// Sets up what a restricted container of an image would find. `$1` is a folder with the account's files, `$2` the pod's name,
/// `$3` the user, `$4` the program, which becomes readable by that user. Everything else is read-only.
const ENTER: &str = r#"
set -e
mount -t tmpfs -o mode=755 tmpfs /var/run
mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
cp "$1"/token "$1"/ca.crt "$1"/namespace /var/run/secrets/kubernetes.io/serviceaccount/
hostname "$2"
touch /var/run/program
mount --bind "$4" /var/run/program
mount -o remount,bind,ro /var/run
mount -o remount,bind,ro /
user=$3
shift 4
exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    /var/run/program "$@"
"#;
/// The same for an image: its root is a folder, in which a runtime mounts what every container has, and the account. `$1` to
/// `$3` are as above, `$4` is the folder; the rest is the command.
const ENTER_IMAGE: &str = r#"
set -e
account=$1 name=$2 user=$3 root=$4
shift 4
hostname "$name"
mkdir -p "$root/proc" "$root/dev" "$root/var/run"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t tmpfs -o mode=755 tmpfs "$root/var/run"
mkdir -p "$root/var/run/secrets/kubernetes.io/serviceaccount"
cp "$account"/token "$account"/ca.crt "$account"/namespace "$root/var/run/secrets/kubernetes.io/serviceaccount/"
mount -o remount,bind,ro "$root/var/run"
mount -o remount,bind,ro "$root/dev"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \
    chroot --userspec="$user:$user" --groups="$user" "$root" "$@"
"#;
/// The namespaces of a pod. All pods share the machine's network.
const OF_ITS_OWN: [&str; 3] = ["--mount", "--uts", "--propagation=private"];

/// Where the process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Where its arguments say, unchanged. Only one such pod at a time fits on a machine.
    AsRendered,
    /// On ports of the kernel's choice. Pods have an address each; here they share one.
    OfItsOwn,
}

/// A running pod; dropping it kills it.
pub struct Pod {
    name: String,
    dorgu: Dorgu,
    /// What its template carries, by which Services find it.
    labels: BTreeMap<String, String>,
    /// Each container port's address by its name.
    ports: BTreeMap<String, SocketAddr>,
    readiness: Arc<Readiness>,
    /// Its root, if that is not the machine's; goes when the pod has gone.
    _image: Option<Root>,
}

/// What a kubelet knows of a pod.
#[derive(Debug)]
struct Readiness {
    ready: AtomicBool,
    over: AtomicBool,
}

/// Whether this machine lets a test act as a node; `None` after a line that says why not.
pub fn may_play_node() -> Option<()> {
    let unshared = Command::new("unshare")
        .args(OF_ITS_OWN)
        .args(["sh", "-c", "mount -t tmpfs tmpfs /var/run && setpriv --dump"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !unshared.is_ok_and(|status| status.success()) {
        return skip_without_rights("pods are played in mount namespaces, which takes Linux, util-linux and root");
    }
    // Any other address of the loopback network will do; Services listen on such.
    if TcpListener::bind((Ipv4Addr::new(127, 77, 255, 254), 443)).is_err_and(is_denied) {
        return skip_without_rights(
            "Services are played on port 443 of loopback addresses, which takes Linux and root",
        );
    }
    Some(())
}

fn is_denied(error: std::io::Error) -> bool {
    error.kind() != std::io::ErrorKind::AddrInUse
}

impl Pod {
    /// One pod of this Deployment, as the API server has it.
    pub fn of(bed: &Bed, namespace: &str, deployment: &str, addresses: Addresses) -> Self {
        Self::through(bed, &bed.api_url(), namespace, deployment, addresses)
    }

    /// As [`Self::of`], but it reaches the API server at another address.
    pub fn through(bed: &Bed, server: &str, namespace: &str, deployment: &str, addresses: Addresses) -> Self {
        let started = Self::start(bed, server, namespace, deployment, addresses, built(), None);
        started.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// A pod that runs another program, such as one of an earlier version.
    pub fn of_program(bed: &Bed, namespace: &str, deployment: &str, program: &Path) -> Self {
        let own = Addresses::OfItsOwn;
        let pod = Self::start(bed, &bed.api_url(), namespace, deployment, own, program, None);
        pod.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// A pod that has only the image's files, in place of the machine's files and the program under test.
    pub fn of_image(bed: &Bed, namespace: &str, deployment: &str, root: Root) -> Self {
        let own = Addresses::OfItsOwn;
        let pod = Self::start(bed, &bed.api_url(), namespace, deployment, own, built(), Some(root));
        pod.unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn start(
        bed: &Bed,
        server: &str,
        namespace: &str,
        deployment: &str,
        addresses: Addresses,
        program: &Path,
        image: Option<Root>,
    ) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let name = format!("{deployment}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let template = bed.kubectl(&["get", "deployment", deployment, "-n", namespace, "-o", "json"]);
        let template: Value = serde_json::from_str(&template.checked()?)?;
        let template = &template["spec"]["template"];
        let (spec, container) = (&template["spec"], &template["spec"]["containers"][0]);

        let folder = TempDir::new()?;
        give_account(bed, namespace, spec, folder.path())?;
        let mut args = texts(&container["args"])?;
        if addresses == Addresses::OfItsOwn {
            args = of_their_own(args);
        }
        let command = texts(&container["command"]).unwrap_or_default();
        ensure!(
            command.is_empty(),
            "the template brings a command, which this kubelet cannot honour"
        );
        let account = folder.path().display().to_string();
        let user = user(spec, container)?.to_string();
        let root = image.as_ref().map(|image| image.folder.path().display().to_string());
        let program = program.display().to_string();
        let (enter, over) = match &root {
            None => (ENTER, program.as_str()),
            Some(root) => (ENTER_IMAGE, root.as_str()),
        };
        let mut argv = [&OF_ITS_OWN[..], &["sh", "-c", enter, "sh"]].concat();
        argv.extend([account.as_str(), name.as_str(), &user, over]);
        argv.extend(image.iter().flat_map(|image| &image.entrypoint).map(String::as_str));
        argv.extend(args.iter().map(String::as_str));

        let mut environment = environment(server, namespace, &name, container)?;
        if let Some(image) = &image {
            let api_server = image.names.api_server.clone();
            environment.push(("KUBERNETES_SERVICE_HOST".to_owned(), api_server));
        }
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let dorgu = Dorgu::launch(Path::new("unshare"), &argv, &environment, folder);
        let ports = ports(&dorgu, container, addresses)?;
        let readiness = watch(&container["readinessProbe"], &ports)?;
        let labels = serde_json::from_value(template["metadata"]["labels"].clone())?;
        Ok(Self {
            name,
            dorgu,
            labels,
            ports,
            readiness,
            _image: image,
        })
    }

    /// The pod's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process in it: its lines, its pid.
    pub fn process(&self) -> &Dorgu {
        &self.dorgu
    }

    /// The address of the container port of this name.
    pub fn port(&self, name: &str) -> SocketAddr {
        let port = self.ports.get(name);
        *port.unwrap_or_else(|| panic!("the template names no port '{name}': {:?}", self.ports))
    }

    pub(super) fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Whether its last readiness probe passed, for components that send it requests.
    pub(super) fn is_ready(&self) -> impl Fn() -> bool + Send + 'static {
        let readiness = Arc::clone(&self.readiness);
        move || readiness.ready.load(Ordering::SeqCst)
    }

    /// Waits until its readiness probe passes.
    pub fn until_ready(&self) {
        self.until(true);
    }

    /// Waits until its readiness probe fails.
    pub fn until_unready(&self) {
        self.until(false);
    }

    fn until(&self, ready: bool) {
        let waited = wait_until(TIMEOUT, &format!("readiness of {} is {ready}", self.name), || {
            ensure!(
                self.readiness.ready.load(Ordering::SeqCst) == ready,
                "it said:\n{}",
                self.dorgu.lines().join("\n")
            );
            Ok(())
        });
        waited.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Asks it to end, as a kubelet does with a pod that is being deleted: SIGTERM.
    pub fn ask_to_leave(&mut self) {
        self.dorgu.signal("TERM");
    }

    /// Waits until it has ended; its exit status.
    pub fn until_gone(&mut self) -> ExitStatus {
        self.dorgu.wait()
    }

    /// Ends it like a deleted pod: SIGTERM, then the grace period; its exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.dorgu.stop()
    }

    /// Ends it without the time that clients get to reconnect. It releases its Lease.
    pub fn interrupt(&mut self) {
        self.dorgu.signal("INT");
        let ended = self.dorgu.wait();
        assert!(ended.success(), "{ended}: {}", self.dorgu.lines().join("\n"));
    }

    /// Ends it as in a node's power failure.
    pub fn kill(&mut self) {
        self.dorgu.kill();
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.readiness.over.store(true, Ordering::SeqCst);
    }
}

/// Token, CA and namespace of the template's ServiceAccount, as files.
fn give_account(bed: &Bed, namespace: &str, spec: &Value, folder: &Path) -> Result<()> {
    ensure!(
        spec["automountServiceAccountToken"] != Value::Bool(false),
        "the template wants no token"
    );
    let account = spec["serviceAccountName"].as_str().unwrap_or("default");
    let token = bed.kubectl(&["create", "token", account, "-n", namespace, "--duration=1h"]);
    fs::write(folder.join("token"), token.checked()?.trim())?;
    fs::copy(bed.ca_file(), folder.join("ca.crt"))?;
    fs::write(folder.join("namespace"), namespace)?;
    Ok(())
}

/// The user that the template demands. This kubelet supports only fully restricted pods, and starts all as such.
fn user(spec: &Value, container: &Value) -> Result<u64> {
    let (pod, own) = (&spec["securityContext"], &container["securityContext"]);
    ensure!(
        pod["runAsNonRoot"] == true
            && own["readOnlyRootFilesystem"] == true
            && own["allowPrivilegeEscalation"] == false
            && own["capabilities"] == json!({"drop": ["ALL"]}),
        "the template is not restricted: {pod} {own}"
    );
    pod["runAsUser"].as_u64().context("the template names no user")
}

/// What a kubelet and a container runtime set, and what the template asks for.
fn environment(server: &str, namespace: &str, pod: &str, container: &Value) -> Result<Vec<(String, String)>> {
    let (host, port) = server
        .rsplit_once(':')
        .map(|(scheme_and_host, port)| (scheme_and_host.trim_start_matches("https://"), port))
        .context("a URL with a port")?;
    let mut environment: Vec<(String, String)> = [
        ("KUBERNETES_SERVICE_HOST", host),
        ("KUBERNETES_SERVICE_PORT", port),
        ("HOSTNAME", pod),
        ("HOME", "/"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().context("a variable without a name")?;
        let value = match &variable["valueFrom"] {
            Value::Null => variable["value"].as_str().unwrap_or_default(),
            from => match from["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.namespace") => namespace,
                Some("metadata.name") => pod,
                other => anyhow::bail!("{name}: this kubelet does not know the field {other:?}"),
            },
        };
        environment.push((name.to_owned(), value.to_owned()));
    }
    Ok(environment)
}

/// The same arguments with every port of a listener left to the kernel; also the webhook's, which has a default.
fn of_their_own(args: Vec<String>) -> Vec<String> {
    const ANYWHERE: &str = "127.0.0.1:0";
    let moved = args.into_iter().map(|arg| match arg.split_once("-bind-address=:") {
        Some((flag, _)) => format!("{flag}-bind-address={ANYWHERE}"),
        None => arg,
    });
    moved.chain([format!("--webhook-bind-address={ANYWHERE}")]).collect()
}

/// Where each container port is listened on, from the process's own output.
fn ports(dorgu: &Dorgu, container: &Value, addresses: Addresses) -> Result<BTreeMap<String, SocketAddr>> {
    let mut ports = BTreeMap::new();
    for declared in container["ports"].as_array().into_iter().flatten() {
        let name = declared["name"].as_str().context("a port without a name")?;
        let url = match name {
            "webhook" => dorgu.webhook_url(),
            "healthz" => dorgu.probes_url(),
            "metrics" => dorgu.metrics_url(),
            other => anyhow::bail!("nothing is known to listen on port '{other}'"),
        };
        let bound: SocketAddr = url
            .split("//")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .with_context(|| url.clone())?
            .parse()
            .with_context(|| url.clone())?;
        if addresses == Addresses::AsRendered {
            let port = &declared["containerPort"];
            ensure!(
                *port == bound.port(),
                "port '{name}' is {port}, and {url} is listened on"
            );
        }
        ports.insert(name.to_owned(), SocketAddr::from((Ipv4Addr::LOCALHOST, bound.port())));
    }
    Ok(ports)
}

/// Probes for as long as the pod lives.
fn watch(probe: &Value, ports: &BTreeMap<String, SocketAddr>) -> Result<Arc<Readiness>> {
    let probe = &probe["httpGet"];
    let path = probe["path"]
        .as_str()
        .context("a readiness probe with a path")?
        .to_owned();
    let port = probe["port"].as_str().context("a readiness probe by the port's name")?;
    let address = *ports
        .get(port)
        .with_context(|| format!("no container port is called '{port}'"))?;
    let readiness = Arc::new(Readiness {
        ready: AtomicBool::new(false),
        over: AtomicBool::new(false),
    });
    let told = Arc::clone(&readiness);
    std::thread::spawn(move || {
        while !told.over.load(Ordering::SeqCst) {
            told.ready
                .store(answers(address, &path).unwrap_or(false), Ordering::SeqCst);
            std::thread::sleep(PROBE_EVERY);
        }
    });
    Ok(readiness)
}

/// Whether a GET succeeds by a kubelet's rules.
fn answers(address: SocketAddr, path: &str) -> std::io::Result<bool> {
    const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    let code = status.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
    Ok(code.is_some_and(|code| (200..400).contains(&code)))
}

fn texts(list: &Value) -> Result<Vec<String>> {
    Ok(serde_json::from_value(list.clone())?)
}
