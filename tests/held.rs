//! Measures how many bytes a persona takes at rest, and how many more are needed while all of them are read again. Counted in
//! the allocator, since the resident size that the system shows depends on the machine.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use dorgu::files::Folder;
use dorgu::index::{Change, Deployment, Index, StoredPersona};
use dorgu::k8s::Decode;
use dorgu::manifest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::payloads::{self, SHAPES, Variant};

const PERSONAS: usize = 2_000;
const PER_FILE: usize = 100;
/// Bytes for each persona, names, whom to talk to and everything that finds it included.
const MAX_IN_A_CLUSTER: u64 = 600;
/// In file mode: also the place it was read from.
const MAX_IN_FILES: u64 = MAX_IN_A_CLUSTER + 40;

/// Writes personas, 100 in a file, under a head that distinguishes one edition of a file from the next.
fn write(folder: &Path, count: usize, head: &str) {
    for first in (0..count).step_by(PER_FILE) {
        let numbers = first..count.min(first + PER_FILE);
        let documents: Vec<String> = numbers.map(payloads::persona).collect();
        let text = format!("# {head}\n{}", documents.join("---\n"));
        std::fs::write(folder.join(format!("{first:06}.yaml")), text).expect("written");
    }
}

/// What file mode holds.
struct Files {
    folder: Folder,
    index: Index,
}

impl Files {
    fn open(folder: &Path) -> Files {
        Files {
            folder: Folder::open(&[folder.to_owned()]).expect("a folder"),
            index: Index::default(),
        }
    }

    fn reload(&mut self) {
        let loaded = self.folder.reload();
        assert_eq!(loaded.problems, []);
        dorgu::serve::fill(&self.index, loaded);
    }
}

/// Bytes that are held after `run`, and the most that were held during it beyond that.
fn bytes(run: impl FnOnce()) -> (u64, u64) {
    let measured = measure(run);
    let held = u64::try_from(measured.bytes_current).unwrap_or_default();
    (held, measured.bytes_max.saturating_sub(held))
}

/// What one of many costs, when what is there for the first of them counts for all.
fn each(of_one: u64, of_all: u64) -> u64 {
    of_all.saturating_sub(of_one) / (PERSONAS as u64 - 1)
}

#[test]
fn a_persona_of_a_file_takes_few_bytes_and_reading_all_files_again_hardly_more() {
    let of = |count: usize| {
        let folder = TempDir::new().expect("a folder");
        write(folder.path(), count, "first");
        let mut files = Files::open(folder.path());
        let (held, _) = bytes(|| files.reload());
        assert_eq!(files.index.load().personas().count(), count);
        (folder, files, held)
    };
    let (_, _, of_one) = of(1);
    let (folder, mut files, of_all) = of(PERSONAS);
    let persona = each(of_one, of_all);
    // Every file is another one, and says the same.
    write(folder.path(), PERSONAS, "second");
    let (more, most) = bytes(|| files.reload());
    println!("a persona of a file: {persona} bytes; read again: {more} more held, {most} for a while, of {of_all}");
    assert!(persona <= MAX_IN_FILES, "{persona} bytes");
    assert!(
        most + more <= of_all * 3 / 10,
        "{most} and {more} bytes beside {of_all}"
    );
    // Some thousand: vectors grow and shrink.
    assert!(
        more <= of_all / 50,
        "{more} bytes more are held after the same was read again"
    );
}

/// As an API server sends a persona, with what it adds itself.
fn sent(number: usize, edition: u32) -> String {
    let read = manifest::read(&payloads::persona(number));
    let mut object = read.documents.first().expect("a document").to_value();
    let mut fields = String::new();
    for field in ["resources", "scaling", "health", "policies", "ownership"] {
        let _ = write!(fields, "f:{field} ");
    }
    object["metadata"]["uid"] = json!(format!("3f1c2a52-6d5e-4c1f-9f50-{number:012}"));
    object["metadata"]["generation"] = json!(1);
    object["metadata"]["resourceVersion"] = json!(edition.to_string());
    object["metadata"]["managedFields"] =
        json!([{"manager": "kubectl", "operation": "Apply", "fieldsV1": {fields: {}}}]);
    object.to_string()
}

/// As a list is read: one object after the other, each kept as the index knows it.
fn list(index: &Index, texts: &[String]) {
    let known = |text: &String| index.reuse_persona(StoredPersona::decode(text).expect("readable"));
    let objects: Vec<Arc<StoredPersona>> = texts.iter().map(known).collect();
    index.personas(Change::Replace {
        objects,
        kept: Vec::new(),
    });
}

#[test]
fn a_persona_of_a_cluster_takes_few_bytes_and_listing_all_again_hardly_more() {
    let of = |count: usize| {
        let index = Index::default();
        let texts: Vec<String> = (0..count).map(|number| sent(number, 1)).collect();
        let (held, _) = bytes(|| list(&index, &texts));
        (index, held)
    };
    let (_, of_one) = of(1);
    let (index, of_all) = of(PERSONAS);
    let persona = each(of_one, of_all);
    let again: Vec<String> = (0..PERSONAS).map(|number| sent(number, 2)).collect();
    let (more, most) = bytes(|| list(&index, &again));
    println!(
        "a persona of a cluster: {persona} bytes; listed again: {more} more held, {most} for a while, of {of_all}"
    );
    assert!(persona <= MAX_IN_A_CLUSTER, "{persona} bytes");
    assert!(
        most + more <= of_all * 3 / 10,
        "{most} and {more} bytes beside {of_all}"
    );
    assert!(
        more <= of_all / 50,
        "{more} bytes more are held after the same was listed again"
    );
}

/// Bytes for each Deployment of one container with all that rules read, names and what finds it included.
const MAX_DEPLOYMENT: u64 = 1_000;

#[test]
fn a_deployment_takes_few_bytes_with_its_images() {
    let stored = |number: usize| {
        let review: Value =
            serde_json::from_str(&payloads::review(SHAPES[0], Variant::Compliant, number)).expect("JSON");
        let mut object = review["request"]["object"].clone();
        object["metadata"]["name"] = json!(format!("orders-{number}"));
        object.to_string()
    };
    let of = |count: usize| {
        let texts: Vec<String> = (0..count).map(stored).collect();
        let index = Index::default();
        let (held, _) = bytes(|| {
            let objects = texts
                .iter()
                .map(|text| Arc::new(Deployment::decode(text).expect("readable")));
            let objects = objects.collect();
            index.deployments(Change::Replace {
                objects,
                kept: Vec::new(),
            });
        });
        (index, held)
    };
    let (_, of_one) = of(1);
    let (_, of_all) = of(PERSONAS);
    let deployment = each(of_one, of_all);
    println!("a Deployment: {deployment} bytes");
    assert!(deployment <= MAX_DEPLOYMENT, "{deployment} bytes");
}
