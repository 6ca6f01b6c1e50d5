//! The recipes in `loadtest/peers` that the storm can serve, and how each is installed, started and probed. It knows no fault.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::bed::{Bed, wait_until};

/// Until what was applied takes effect, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Until a probe has its answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What one of them serves.
pub(super) struct Recipe {
    name: &'static str,
    /// Its folder in `loadtest/peers`.
    folder: &'static str,
    /// What it is asked to serve.
    kind: &'static str,
    /// The path at which it answers reviews.
    pub(super) reviews: &'static str,
    /// Set where it denies by policies that are in the cluster; the others deny everything.
    judges: Option<Judges>,
}

/// How one that judges is installed, and when its chart calls it ready.
struct Judges {
    /// In its folder, in the order in which they are applied.
    policies: &'static [&'static str],
    /// The path of its readiness probe, where that is plain HTTP on a port of its own; else it is ready when it listens.
    probe: Option<&'static str>,
    /// `initialDelaySeconds` of its readiness probe.
    first_probe: Duration,
}

static RECIPES: [Recipe; 6] = [
    Recipe::that_denies("axum-server", "axum", "deny"),
    Recipe::that_denies("axum-serve", "axum", "hyper-deny"),
    Recipe::that_denies("controller-runtime", "controller-runtime", "deny"),
    Recipe::that_denies("kubert", "kubert", "deny"),
    Recipe {
        name: "gatekeeper",
        folder: "gatekeeper",
        kind: "webhook",
        reviews: "/v1/admit",
        judges: Some(Judges {
            policies: &["template.yaml", "constraints.yaml"],
            probe: Some("/readyz"),
            first_probe: Duration::ZERO,
        }),
    },
    Recipe {
        name: "kyverno",
        folder: "kyverno",
        kind: "webhook",
        reviews: "/vpol/persona-errors/persona-warnings",
        judges: Some(Judges {
            policies: &["policies.yaml"],
            probe: None,
            first_probe: Duration::from_secs(5),
        }),
    },
];

impl Recipe {
    const fn that_denies(name: &'static str, folder: &'static str, kind: &'static str) -> Recipe {
        Recipe {
            name,
            folder,
            kind,
            reviews: "/validate-deployment",
            judges: None,
        }
    }

    pub(super) fn named(name: &str) -> Result<&'static Recipe> {
        let names = RECIPES.each_ref().map(|recipe| recipe.name).join(", ");
        let known = RECIPES.iter().find(|recipe| recipe.name == name);
        known.with_context(|| format!("'{name}' is not one of {names}"))
    }

    /// A file of its folder.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadtest/peers");
        peers.join(self.folder).join(file)
    }

    /// Makes in the cluster what it reads before it serves. `work` is the folder of its certificate.
    pub(super) fn install(&self, bed: &Bed, work: &Path) -> Result<()> {
        if self.judges.is_none() {
            return Ok(());
        }
        let definitions = self.printed(&["crds".as_ref()])?;
        bed.kubectl_in(&["apply", "--server-side", "-f", "-"], &definitions)
            .checked()?;
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        // It fails at one that has no status yet.
        wait_until(TIMEOUT, "its kinds are known", || {
            bed.kubectl(&established).checked().map(drop)
        })?;
        self.install_objects(bed, work)
    }

    /// The part of it that holds the certificate.
    pub(super) fn install_objects(&self, bed: &Bed, work: &Path) -> Result<()> {
        if self.judges.is_some() {
            bed.apply(&self.printed(&["objects".as_ref(), work.as_os_str()])?)
                .checked()?;
        }
        Ok(())
    }

    /// What it prints.
    fn printed(&self, arguments: &[&std::ffi::OsStr]) -> Result<String> {
        let recipe = self.path("recipe");
        let output = Command::new(&recipe).args(arguments).output();
        let output = output.with_context(|| recipe.display().to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {arguments:?}: {said}", recipe.display());
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Applies what it denies by. One that runs makes some of the kinds, so that it takes a moment until they are known.
    pub(super) fn apply_policies(&self, bed: &Bed) -> Result<()> {
        for file in self.judges.iter().flat_map(|judges| judges.policies) {
            let path = self.path(file).display().to_string();
            wait_until(TIMEOUT, &format!("{file} is stored"), || {
                bed.kubectl(&["apply", "-f", &path]).checked().map(drop)
            })?;
        }
        Ok(())
    }

    /// The arguments and the environment that make it serve, up to the folder of its certificate.
    pub(super) fn serve(&self, command: &mut Command, address: SocketAddr, probed: SocketAddr, kubeconfig: &Path) {
        command.args(["serve", self.kind, &address.to_string()]);
        if self.judges.is_some() {
            command.env("KUBECONFIG", kubeconfig);
            command.env("HEALTH_PORT", probed.port().to_string());
            // What its chart has by default; the load test ends it at once.
            command.env("SHUTDOWN_DELAY", "10");
        }
    }

    /// Whether a kubelet would call it ready.
    pub(super) fn ready(&self, began: Instant, address: SocketAddr, probed: SocketAddr) -> Result<()> {
        drop(TcpStream::connect(address)?);
        let Some(judges) = &self.judges else { return Ok(()) };
        ensure!(began.elapsed() >= judges.first_probe, "it is not probed yet");
        judges.probe.map_or(Ok(()), |path| probe(probed, path))
    }
}

/// Whether that path answers 200.
fn probe(address: SocketAddr, path: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1);
    ensure!(status == Some("200"), "{path}: {answer}");
    Ok(())
}

/// An address of the loopback network on which nothing listens.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

#[test]
fn a_recipe_is_found_by_its_name_and_its_files_are_there() -> Result<()> {
    for recipe in &RECIPES {
        let named = Recipe::named(recipe.name)?;
        let policies = named.judges.iter().flat_map(|judges| judges.policies);
        for file in policies.chain(&["recipe"]) {
            ensure!(named.path(file).is_file(), "{}", named.path(file).display());
        }
    }
    let error = Recipe::named("nginx").map(drop).unwrap_err().to_string();
    ensure!(error.starts_with("'nginx' is not one of axum-server, "), "{error}");
    Ok(())
}
