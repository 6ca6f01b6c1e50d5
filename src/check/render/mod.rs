//! Renders Helm charts and kustomizations, by their own programs, and finds the file that a rendered object came from.

mod remote;
mod run;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::run::{Limits, Scratch};
use super::paths::name;

const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    bytes: 64 << 20,
};

/// What is passed on to helm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The namespace of the release.
    pub namespace: String,
    /// The name of the release; `None` for helm's own default.
    pub release_name: Option<String>,
    /// Files of values.
    pub values: Vec<PathBuf>,
    /// Values, `KEY=VALUE` each.
    pub sets: Vec<String>,
}

/// What a folder is, where it has to be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Chart,
    Kustomization,
}

/// The manifests of a chart or of a kustomization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rendered {
    pub(super) text: String,
    kind: Kind,
    /// The folder, as it was named.
    folder: PathBuf,
    /// Where it really is.
    real: PathBuf,
    /// What the paths in its output are relative to.
    base: PathBuf,
    /// The folder that a report's paths are relative to.
    root: PathBuf,
}

/// Whether a folder has to be rendered.
pub(super) fn kind(folder: &Path) -> Option<Kind> {
    match folder.join("Chart.yaml").is_file() {
        true => Some(Kind::Chart),
        false => remote::kustomization(folder).map(|_| Kind::Kustomization),
    }
}

/// Renders a folder. Names in a report are relative to `root`.
///
/// # Errors
/// The program is missing or fails, or something would be fetched.
pub(super) fn render(folder: &Path, kind: Kind, options: &Options, root: &Path) -> Result<Rendered, String> {
    let real = folder
        .canonicalize()
        .map_err(|error| format!("cannot be read: {error}"))?;
    let scratch = Scratch::new().map_err(|error| format!("no temporary folder: {error}"))?;
    let (text, base) = match kind {
        Kind::Chart => (helm(&real, options, scratch.path())?, real.clone()),
        Kind::Kustomization => {
            remote::check(&real)?;
            let overlay = scratch.path().join("overlay");
            (kustomize(&real, &overlay, scratch.path())?, overlay)
        }
    };
    let text = String::from_utf8(text).map_err(|_| "its output is not UTF-8 text".to_owned())?;
    Ok(Rendered {
        text,
        kind,
        folder: folder.to_owned(),
        real,
        base,
        root: root.to_owned(),
    })
}

fn helm(chart: &Path, options: &Options, scratch: &Path) -> Result<Vec<u8>, String> {
    let program = run::find("helm").ok_or("--render needs helm for a chart, and PATH has none")?;
    let mut args: Vec<OsString> = vec!["template".into(), joined("--namespace=", &options.namespace)];
    for file in &options.values {
        // helm would fetch what is no file.
        let file = file.canonicalize();
        let file = file.map_err(|error| format!("--values: {error}; it takes files"))?;
        args.push(joined("--values=", file));
    }
    args.extend(options.sets.iter().map(|set| joined("--set=", set)));
    args.push("--".into());
    args.push(options.release_name.as_deref().unwrap_or("release-name").into());
    args.push(chart.into());
    run::run(&program, &args, scratch, LIMITS)
}

fn joined(flag: &str, value: impl AsRef<std::ffi::OsStr>) -> OsString {
    let mut joined = OsString::from(flag);
    joined.push(value);
    joined
}

/// Builds an overlay of the kustomization, which asks for the file of each object.
fn kustomize(folder: &Path, overlay: &Path, scratch: &Path) -> Result<Vec<u8>, String> {
    let (program, command) = match (run::find("kustomize"), run::find("kubectl")) {
        (Some(kustomize), _) => (kustomize, "build"),
        (None, Some(kubectl)) => (kubectl, "kustomize"),
        (None, None) => {
            return Err("--render needs kustomize or kubectl for a kustomization, and PATH has neither".to_owned());
        }
    };
    // A base is named by a relative path.
    let mut relative: PathBuf = overlay.components().skip(1).map(|_| Component::ParentDir).collect();
    relative.extend(folder.components().filter(|step| matches!(step, Component::Normal(_))));
    let kustomization = serde_json::json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "buildMetadata": ["originAnnotations"],
        "resources": [relative.to_str().ok_or("its path is not UTF-8 text")?],
    });
    let written = std::fs::create_dir(overlay)
        .and_then(|()| std::fs::write(overlay.join(remote::FILES[0]), kustomization.to_string()));
    written.map_err(|error| format!("no temporary file: {error}"))?;
    let args = [command.into(), OsString::from(overlay)];
    let built = run::run(&program, &args, scratch, LIMITS);
    // The overlay is no file of the user's.
    let shown = overlay.display().to_string();
    built.map_err(|complaint| complaint.replace(&shown, &folder.display().to_string()))
}

impl Rendered {
    /// The file that an object came from, as a report names it. `source` is its path in the output.
    pub(super) fn file(&self, source: Option<&str>) -> Arc<str> {
        let file = source.and_then(|source| match self.kind {
            Kind::Chart => self.template(source),
            Kind::Kustomization => self.resource(source),
        });
        name(&file.unwrap_or_else(|| self.main()), &self.root)
    }

    /// A template: `CHART/templates/file.yaml`, or `CHART/charts/SUBCHART/templates/file.yaml`.
    fn template(&self, source: &str) -> Option<PathBuf> {
        let (_, below) = source.split_once('/')?;
        let is_plain = Path::new(below)
            .components()
            .all(|step| matches!(step, Component::Normal(_)));
        let file = self.folder.join(below);
        if is_plain && file.is_file() {
            return Some(file);
        }
        // A subchart may be packed.
        let mut steps = below.split('/');
        let subchart = steps.next().filter(|step| *step == "charts").and(steps.next())?;
        let entries = std::fs::read_dir(self.folder.join("charts")).ok()?;
        let mut packed: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        packed.sort();
        packed.into_iter().find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix(subchart)
                .is_some_and(|rest| rest.starts_with('-') && rest.ends_with(".tgz"))
        })
    }

    /// A resource, relative to what was built.
    fn resource(&self, source: &str) -> Option<PathBuf> {
        let mut file = PathBuf::new();
        for step in self.base.join(source).components() {
            match step {
                Component::ParentDir => {
                    file.pop();
                }
                Component::CurDir => {}
                other => file.push(other),
            }
        }
        if !file.is_file() {
            return None;
        }
        // As the user named it: a base beside the folder is `folder/../base`.
        let mut above = self.real.as_path();
        let mut named = self.folder.clone();
        loop {
            match file.strip_prefix(above) {
                Ok(below) => return Some(named.join(below)),
                Err(_) => above = above.parent()?,
            }
            named.push("..");
        }
    }

    /// The file that makes the folder what it is.
    fn main(&self) -> PathBuf {
        match self.kind {
            Kind::Chart => self.folder.join("Chart.yaml"),
            Kind::Kustomization => remote::kustomization(&self.folder).unwrap_or_else(|| self.folder.clone()),
        }
    }
}
