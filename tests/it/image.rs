//! The image's recipe agrees with the manifests and the toolchain.

use std::fs;
use std::path::Path;

use crate::bed::Stage;

fn text(file: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn it_holds_one_program_that_starts_without_a_shell() {
    let image = Stage::of_image();
    assert_eq!(image.from, "scratch");
    assert_eq!(image.entrypoint().unwrap(), ["/dorgu"]);
    // What such an image cannot do, and what would be one more thing in it.
    for instruction in ["RUN", "ADD", "CMD", "SHELL", "VOLUME", "ENV"] {
        assert!(image.only(instruction).is_err(), "{instruction}");
    }
    assert_eq!(image.copied().unwrap().len(), 2, "the program and its licence");
}

#[test]
fn its_user_is_a_number_and_the_one_of_the_manifests() {
    let deployment: serde_json::Value = serde_saphyr::from_str(&text("manifests/deployment.yaml")).unwrap();
    let context = &deployment["spec"]["template"]["spec"]["securityContext"];
    let user = format!("{}:{}", context["runAsUser"], context["runAsGroup"]);
    assert_eq!(Stage::of_image().only("USER").unwrap(), user);
    assert!(
        !user.starts_with("0:") && user.replace(':', "").parse::<u64>().is_ok(),
        "{user}"
    );
}

#[test]
fn it_says_what_it_is() {
    let labels = Stage::of_image().labels();
    for what in [
        "title",
        "description",
        "licenses",
        "version",
        "revision",
        "created",
        "source",
    ] {
        let label = format!("org.opencontainers.image.{what}");
        assert!(
            labels.get(&label).is_some_and(|value| !value.is_empty()),
            "{label}: {labels:?}"
        );
    }
    assert_eq!(labels["org.opencontainers.image.licenses"], env!("CARGO_PKG_LICENSE"));
}

#[test]
fn it_is_built_by_the_compiler_that_the_tests_use() {
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.expect("a channel").trim_matches('"');
    let recipe = text("image/Containerfile");
    assert!(
        recipe.lines().any(|line| line == format!("ARG RUST={channel}")),
        "{channel}"
    );
}

#[test]
fn what_the_build_may_see_is_what_it_copies() {
    let ignored = text("image/Containerfile.dockerignore");
    let mut seen: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    seen.sort_unstable();
    let recipe = text("image/Containerfile");
    let copies = recipe.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied = copies.filter(|arguments| !arguments.starts_with("--from="));
    let mut copied: Vec<&str> = copied
        .flat_map(|arguments| {
            let (from, _) = arguments.rsplit_once(' ').expect("what, and where to");
            from.split(' ')
        })
        .collect();
    copied.sort_unstable();
    assert_eq!(seen, copied);
}
