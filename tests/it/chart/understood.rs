//! The process accepts every argument that a rendered Deployment gives it. Tested without a cluster, where it accepts the same
//! arguments, so that no rights and no other service are needed.

use serde_json::Value;
use tempfile::TempDir;

use super::{NAMESPACE, manifests, objects, template, value_sets};
use crate::bed::{Dorgu, Helm};

#[test]
fn the_process_starts_with_the_arguments_of_every_value_set() {
    let Some(helm) = Helm::find() else { return };
    let personas = manifests().join("examples");
    let files = files();
    for (name, values) in value_sets() {
        let rendered = template(&helm, NAMESPACE, &["--values", &values.display().to_string()]).expect_success();
        let args = arguments(&rendered, &files);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let dorgu = Dorgu::with_personas(&personas, &args);
        // It says where it listens only when it has understood all of them.
        let url = dorgu.webhook_url();
        assert!(url.starts_with("https://127.0.0.1:"), "{name}: {url}");
    }
}

/// What the Deployment's volumes bring.
fn files() -> TempDir {
    let folder = TempDir::new().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, text) in [
        ("ca.crt", certified.cert.pem()),
        ("tls.crt", certified.cert.pem()),
        ("tls.key", certified.signing_key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Of the Deployment, without `serve`; with listeners left to the kernel and folders of volumes in their place.
fn arguments(rendered: &str, files: &TempDir) -> Vec<String> {
    let objects = objects(rendered);
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let args: Vec<&str> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(args[0], "serve");
    let elsewhere = |arg: &&&str| !arg.contains("-bind-address=");
    let mounted = |arg: &&str| {
        let (flag, file) = arg.split_once("=/etc/dorgu/")?;
        let place = file
            .rsplit('/')
            .next()
            .filter(|file| file.contains('.'))
            .unwrap_or_default();
        Some(format!("{flag}={}", files.path().join(place).display()))
    };
    let args = args[1..].iter().filter(elsewhere);
    args.map(|arg| mounted(arg).unwrap_or_else(|| (*arg).to_owned()))
        .collect()
}
