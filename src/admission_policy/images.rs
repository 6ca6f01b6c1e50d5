//! Translates the rules about images. A reference is read as `policy::image` reads it: into a registry and a repository in full,
//! a tag and a digest.

use super::cel::{Among, Each, Violation, texts};
use super::demands::Demand;
use crate::policy::image::Registries;
use crate::policy::persona::Images;
use crate::policy::text::{Shown, cut};
use crate::policy::{Persona, Rule};

/// Longest list of registries in a text.
const MAX_LISTED: usize = 200;

/// A registry: a domain name or an address in brackets, with a port or without. Brackets alone are a registry only with a letter
/// that no namespace has.
const HOST: &str = "(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?::[0-9]+)?\
                    |\\[[0-9a-f]*[A-F:][0-9a-fA-F:]*\\](?::[0-9]+)?|\\[[0-9a-f]+\\]:[0-9]+)";
/// One part of a repository.
const PART: &str = "[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*";
const TAG: &str = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const DIGEST: &str = "(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})";

/// The names of the default registry; none stands for it, too.
const DOCKER_HUB: &str = "['', 'docker.io', 'index.docker.io']";

/// The demands of the rules in this file, with the variables that they read.
pub(super) fn of(persona: &Persona) -> (Vec<Demand>, Vec<(&'static str, String)>) {
    let Some(images) = &persona.images else {
        return (Vec::new(), Vec::new());
    };
    (demands(images), variables())
}

fn demands(images: &Images) -> Vec<Demand> {
    let demand = |rule, text: String, found: String, kept: String| Demand {
        rule,
        text,
        violations: vec![Violation::Each(Each {
            among: Among::Images,
            found,
            items: None,
            kept: format!("o.image == c.image || {kept}"),
            excused: None,
        })],
    };
    let mut demands = Vec::new();
    if let Some(registries) = &images.registries {
        let listed = cut(Shown(&registries.to_string()), MAX_LISTED);
        demands.push(demand(
            Rule::ImageRegistryNotAllowed,
            format!("an image is not allowed; persona allows {listed}"),
            format!("!{}", is_allowed(registries)),
            "c.full != '' && o.full == c.full".to_owned(),
        ));
    }
    let is_latest = |image: &str| {
        format!("!{image}.image.contains('@') && {image}.image in [{image}.stem, {image}.stem + ':latest']")
    };
    if images.deny_latest {
        demands.push(demand(
            Rule::ImageTagLatest,
            "an image has the tag latest or none; persona forbids latest".to_owned(),
            format!("c.full == '' || {}", is_latest("c")),
            format!("o.full != '' && {}", is_latest("o")),
        ));
    }
    if images.require_digest {
        demands.push(demand(
            Rule::ImageDigestMissing,
            "an image has no digest; persona requires a digest".to_owned(),
            "c.full == '' || !c.image.contains('@')".to_owned(),
            "o.full != '' && !o.image.contains('@')".to_owned(),
        ));
    }
    demands
}

/// Whether the image `c` is below one of the registries.
fn is_allowed(registries: &Registries) -> String {
    let below: Vec<String> = registries.names().map(|name| format!("{name}/")).collect();
    let below = texts(below.iter().map(String::as_str));
    format!("(c.full != '' && {below}.exists(p, (c.full + '/').startsWith(p)))")
}

/// The images of all containers, read step by step: `full` is empty for one that cannot be read.
fn variables() -> Vec<(&'static str, String)> {
    let of = |names: [&'static str; 4], containers: &str| {
        let [texts, stems, parts, images] = names;
        let (same, with_stem) = ("'name': i.name, 'image': i.image", "'stem': i.stem");
        [
            (
                texts,
                format!("({containers}).map(c, {{'name': string(c.name), 'image': string(c.?image.orValue(''))}})"),
            ),
            (
                stems,
                format!("variables.{texts}.map(i, {{{same}, 'stem': {}}})", stem("i.image")),
            ),
            (
                parts,
                format!(
                    "variables.{stems}.map(i, {{{same}, {with_stem}, 'host': {}}})",
                    host("i.stem")
                ),
            ),
            (
                images,
                format!("variables.{parts}.map(i, {{{same}, {with_stem}, 'full': {}}})", full()),
            ),
        ]
    };
    let new = of(
        ["imageTexts", "imageStems", "imageParts", "images"],
        "variables.lasting + variables.once",
    );
    let old = of(
        ["oldImageTexts", "oldImageStems", "oldImageParts", "oldImages"],
        "variables.oldAll",
    );
    new.into_iter().chain(old).collect()
}

/// A reference without tag and digest; empty for one that no kubelet reads.
fn stem(image: &str) -> String {
    let reference = format!("^(?:{HOST}/)?{PART}(?:/{PART})*(?::{TAG})?(?:@{DIGEST})?$");
    // What has the form of an image ID is no reference.
    format!(
        "size({image}) <= 1024 && {image}.matches(r'{reference}') && !{image}.matches(r'^[0-9a-f]{{64}}$') ? \
         {image}.find(r'^(?:[^/@]*/)*[^:@/]*') : ''"
    )
}

/// The registry that a reference names; empty where its first part is a namespace.
fn host(stem: &str) -> String {
    format!("{stem}.matches(r'^(?:localhost|[^/]*[.:A-Z][^/]*)/') ? {stem}.substring(0, {stem}.indexOf('/')) : ''")
}

/// Registry and repository in full; empty where the repository is too long.
fn full() -> String {
    let path = "i.stem.substring(i.host == '' ? 0 : size(i.host) + 1)";
    let is_hub = format!("i.host in {DOCKER_HUB}");
    let is_official = format!("{is_hub} && !{path}.contains('/')");
    // A first part that no domain name has is measured as a part of the repository.
    let length = format!(
        "size({path}) + ({is_official} ? 8 : 0) + (i.host == '' || i.host.matches(r'^{HOST}$') ? 0 : size(i.host) + 1)"
    );
    format!(
        "i.stem == '' || {length} > 255 ? '' : \
         {is_hub} ? 'docker.io/' + ({is_official} ? 'library/' : '') + {path} : i.host.lowerAscii() + '/' + {path}"
    )
}
