//! The chart: what Helm renders, what an API server answers to that, and how it replaces what was installed before.

mod accepted;
pub(crate) mod coming_over;
mod generated;
mod refused;
mod released;
mod rendered;
mod running;
mod theirs;
mod understood;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Helm, Output, wait_until};

pub(crate) use accepted::install_neighbours;

const RELEASE: &str = "dorgu-operator";
pub(crate) const NAMESPACE: &str = "dorgu-system";
/// How long an API server may take to serve a new kind, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

fn chart() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/charts/dorgu-operator"))
}

fn manifests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"))
}

/// The files of values in `ci/`, where chart-testing looks for them, too; by name.
fn value_sets() -> Vec<(String, PathBuf)> {
    let mut sets: Vec<_> = fs::read_dir(chart().join("ci"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name.strip_suffix("-values.yaml").unwrap().to_owned(), path)
        })
        .collect();
    sets.sort();
    assert!(sets.len() >= 10, "{sets:?}");
    sets
}

/// `helm template` with further arguments.
pub(crate) fn template(helm: &Helm, namespace: &str, args: &[&str]) -> Output {
    let chart = chart().display().to_string();
    helm.run(&[&["template", RELEASE, &chart, "--namespace", namespace], args].concat())
}

/// The objects of YAML documents, in their order.
pub(crate) fn objects(documents: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(documents).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

/// By kind and name.
fn by_name(documents: &str) -> BTreeMap<(String, String), Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    objects(documents)
        .into_iter()
        .map(|object| ((text(&object["kind"]), text(&object["metadata"]["name"])), object))
        .collect()
}

/// A copy of the chart, to be changed by a test.
fn copied() -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            if path.is_dir() {
                copy(&path, &to.join(name));
            } else {
                fs::copy(&path, to.join(name)).unwrap();
            }
        }
    }
    let folder = TempDir::new().unwrap();
    copy(chart(), folder.path());
    folder
}

/// A JSON object of the API server's.
fn get(bed: &Bed, args: &[&str]) -> Value {
    let got = bed.kubectl(&[&["get", "-o", "json"], args].concat()).expect_success();
    serde_json::from_str(&got).unwrap()
}

/// A persona with a status, as users and the process leave them.
fn persona_with_status(bed: &Bed) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    bed.apply(&namespace.to_string()).expect_success();
    let persona = fs::read_to_string(manifests().join("examples/orders-persona.yaml")).unwrap();
    let applied = wait_until(TIMEOUT, "personas are served", || bed.apply(&persona).checked());
    applied.unwrap_or_else(|error| panic!("{error:#}"));
    let status = json!({"status": {"phase": "Active", "health": {"status": "Healthy", "message": "all is well"}}});
    let patch = format!("--patch={status}");
    let args = [
        "patch",
        "persona",
        "orders",
        "-n",
        "shop",
        "--subresource=status",
        "--type=merge",
        &patch,
    ];
    bed.kubectl(&args).expect_success();
}

pub(crate) fn persona(bed: &Bed) -> Value {
    get(bed, &["persona", "orders", "-n", "shop"])
}

/// The names of the objects of a kind that belong to the release.
fn left(bed: &Bed, kind: &str) -> Vec<String> {
    let selector = format!("--selector=app.kubernetes.io/instance={RELEASE}");
    let listed = get(bed, &[kind, "--all-namespaces", &selector]);
    let items = listed["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A certificate as a caBundle holds it.
pub(crate) fn ca_bundle() -> Value {
    let certified = rcgen::generate_simple_self_signed(["example".to_owned()]).unwrap();
    json!(k8s_openapi::ByteString(certified.cert.pem().into_bytes()))
}
