//! References and registries. `tests/it/images.rs` compares the former with the library of container runtimes.

use super::*;

const SHA256: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn registries(list: &[&str]) -> Registries {
    let list: Vec<String> = list.iter().map(|entry| (*entry).to_owned()).collect();
    Registries::parse(&list, |entry| panic!("{entry} is unreadable"))
}

fn allows(list: &[&str], image: &str) -> bool {
    registries(list).allows(Reference::parse(image).as_ref())
}

#[test]
fn a_reference_has_the_defaults_of_a_runtime() {
    for (text, name, tag) in [
        ("nginx", "docker.io/library/nginx", None),
        ("nginx:1.27", "docker.io/library/nginx", Some("1.27")),
        ("acme/api", "docker.io/acme/api", None),
        ("docker.io/nginx", "docker.io/library/nginx", None),
        ("index.docker.io/nginx:1", "docker.io/library/nginx", Some("1")),
        ("localhost/api", "localhost/api", None),
        ("localhost:5000/api:1", "localhost:5000/api", Some("1")),
        (
            "registry.example.com:5000/team/api",
            "registry.example.com:5000/team/api",
            None,
        ),
        ("registry:5000", "docker.io/library/registry", Some("5000")),
        ("ghcr.io:1", "docker.io/library/ghcr.io", Some("1")),
        ("GHCR.io/acme/api", "ghcr.io/acme/api", None),
        ("REGISTRY/api", "registry/api", None),
        ("[::1]:5000/api", "[::1]:5000/api", None),
    ] {
        let read = Reference::parse(text).expect(text);
        assert_eq!((read.name().as_str(), read.tag()), (name, tag), "{text}");
    }
}

#[test]
fn what_no_kubelet_reads_is_no_reference() {
    let long = format!("ghcr.io/{}", "a".repeat(256));
    for text in [
        "",
        " ",
        " nginx",
        "nginx ",
        "Nginx",
        "ghcr.io/Acme/api",
        "https://ghcr.io/acme/api",
        "ghcr.io//api",
        "ghcr.io/acme/",
        "/api",
        "nginx:",
        "nginx:.1",
        "nginx@sha256:abc",
        "nginx@md5:0123456789abcdef0123456789abcdef",
        "-ghcr.io/api",
        "ghcr.io:port/api",
        "ghcr..io/api",
        "acme/a..b",
        "acme/a___b",
        "acme/-a",
        "n\u{0456}nx",
        &long,
        SHA256.trim_start_matches("sha256:"),
    ] {
        assert_eq!(Reference::parse(text), None, "{text}");
    }
}

#[test]
fn a_digest_has_precedence_over_the_tag() {
    let (tagged, untagged) = (format!("nginx:latest@{SHA256}"), format!("nginx@{SHA256}"));
    for (text, is_latest) in [
        ("nginx", true),
        ("nginx:latest", true),
        ("nginx:Latest", false),
        ("nginx:1", false),
        (&tagged, false),
        (&untagged, false),
    ] {
        assert_eq!(Reference::parse(text).expect(text).is_latest(), is_latest, "{text}");
    }
}

#[test]
fn an_entry_allows_what_is_below_it_and_nothing_beside_it() {
    for (entry, image, is_allowed) in [
        ("ghcr.io/acme", "ghcr.io/acme/api:1", true),
        ("ghcr.io/acme", "ghcr.io/acme", true),
        ("ghcr.io/acme", "ghcr.io/acme-evil/api", false),
        ("ghcr.io/acme", "ghcr.io/acm", false),
        ("ghcr.io/acme", "evil.example.com/ghcr.io/acme/api", false),
        ("ghcr.io/acme/", "ghcr.io/acme/team/api", true),
        ("ghcr.io/acme/api", "ghcr.io/acme/other", false),
        ("GHCR.io", "ghcr.IO/acme/api", true),
        ("ghcr.io", "ghcr.io.evil.example.com/acme/api", false),
        ("ghcr.io", "ghcr.io:8443/acme/api", false),
        ("localhost:5000", "localhost:5000/api", true),
        ("localhost", "localhost:5000/api", false),
        ("docker.io", "nginx", true),
        ("index.docker.io", "acme/api", true),
        ("docker.io/library", "nginx:1", true),
        ("docker.io/library", "acme/api", false),
        ("library", "docker.io/nginx", true),
        ("acme", "index.docker.io/acme/api", true),
        ("docker.io/acme", "acme/api", true),
        // A registry of that name, and no namespace of the default one.
        ("docker.io", "ACME/api", false),
    ] {
        assert_eq!(allows(&[entry], image), is_allowed, "{entry} and {image}");
    }
    assert!(allows(
        &["quay.io", "ghcr.io/acme", "a.example.com"],
        "ghcr.io/acme/api"
    ));
    assert!(!allows(&["quay.io"], "not a reference"));
}

#[test]
fn what_is_no_registry_is_reported_and_allows_nothing() {
    let list = [
        "",
        "https://ghcr.io",
        "ghcr.io/acme:1",
        "ghcr.io/*",
        "ghcr.io/Acme",
        "*",
        " ghcr.io",
    ];
    let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
    let mut unreadable = Vec::new();
    let registries = Registries::parse(&list, |entry| unreadable.push(entry));
    assert_eq!(unreadable, list);
    assert!(!registries.allows(Reference::parse("ghcr.io/acme/api").as_ref()));
    assert_eq!(registries.to_string(), "no registry");
}

#[test]
fn a_list_is_printed_in_order_once_and_within_a_line() {
    assert_eq!(
        registries(&["quay.io/acme", "ghcr.io", "GHCR.io/", "nginx"]).to_string(),
        "docker.io/nginx, ghcr.io, quay.io/acme"
    );
    let many: Vec<String> = (10..60).map(|number| format!("registry{number}.example.com")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let shown = registries(&many).to_string();
    assert!(shown.len() < 140 && shown.ends_with(" and 45 more"), "{shown}");
}

#[test]
fn of_several_lists_the_first_that_does_not_allow_an_image_is_found() {
    let lists = [
        registries(&["ghcr.io", "docker.io/library"]),
        registries(&["ghcr.io/acme", "docker.io"]),
        registries(&["ghcr.io/acme/api", "docker.io/library/nginx"]),
    ];
    let numbered: Vec<(u32, &Registries)> = [3, 5, 8].into_iter().zip(&lists).collect();
    let joint = Registries::joint(&numbered);
    for (image, denied_by) in [
        ("ghcr.io/acme/api", None),
        ("ghcr.io/acme/api/v2", None),
        ("ghcr.io/acme/web", Some(8)),
        ("ghcr.io/other", Some(5)),
        ("nginx", None),
        ("redis", Some(8)),
        ("acme/api", Some(3)),
        ("quay.io/acme/api", Some(3)),
        ("Cannot/Be/Read", Some(3)),
    ] {
        let read = Reference::parse(image);
        let one_by_one = numbered.iter().find(|(_, list)| !list.allows(read.as_ref()));
        assert_eq!(one_by_one.map(|(position, _)| *position), denied_by, "{image}");
        assert_eq!(joint.denied_by(read.as_ref()), denied_by, "{image}");
    }
}
