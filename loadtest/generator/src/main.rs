//! The load generator. It sends what an API server sends, as cheaply as it can, since it shares the machine with the server it
//! measures. It reads from `/proc` what the server consumed meanwhile.
//!
//! Start reading at [`Command`]. `connection` speaks HTTP, `run` keeps time, `process` reads `/proc`, `compare` starts servers
//! and runs them in turn, `cluster` measures a real kube-apiserver, `memory` measures memory.

mod cluster;
mod compare;
mod connection;
mod memory;
mod process;
mod run;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;

#[path = "../../payloads.rs"]
mod payloads;

/// Sends AdmissionReviews and measures who answers them.
#[derive(Parser)]
enum Command {
    /// Writes certificates (ECDSA P-256 and RSA 2048), 10,000 personas and the payloads into a folder.
    Prepare {
        /// Where to.
        folder: PathBuf,
        /// How many personas.
        #[arg(long, default_value_t = 10_000)]
        personas: usize,
    },
    /// Sends reviews to one server that runs already, and prints a line of JSON.
    Run {
        /// Where it listens.
        address: std::net::SocketAddr,
        /// Its process.
        #[arg(long)]
        pid: u32,
        /// What is sent.
        #[command(flatten)]
        load: run::Load,
    },
    /// Starts servers by their recipes and measures them in turn, so that what disturbs one disturbs the others.
    Compare(compare::Comparison),
    /// Starts a server with few and with many personas and prints what it takes in memory.
    Memory(memory::Measurement),
    /// Makes namespaces and personas in a cluster.
    Fill(cluster::Fill),
    /// Creates Deployments, dry, at an API server where several webhooks are registered, and measures what each adds.
    ApiServer(cluster::Measurement),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Prepare { folder, personas } => prepare(&folder, personas),
        Command::Run { address, pid, load } => {
            let report = runtime()?.block_on(run::run(address, pid, &load))?;
            println!("{}", serde_json::to_string(&report)?);
            Ok(())
        }
        Command::Compare(comparison) => comparison.run(),
        Command::Memory(measurement) => measurement.run(),
        Command::Fill(fill) => runtime()?.block_on(fill.run()),
        Command::ApiServer(measurement) => runtime()?.block_on(measurement.run()),
    }
}

/// One thread: what the generator takes, the server lacks.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}

fn prepare(folder: &Path, personas: usize) -> anyhow::Result<()> {
    let write = |path: PathBuf, text: &str| {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let key = rcgen::KeyPair::generate()?;
    // The last is for Services of an API server.
    let names = ["localhost", "127.0.0.1", "*.loadtest.svc"].map(str::to_owned).to_vec();
    let certificate = rcgen::CertificateParams::new(names.clone())?.self_signed(&key)?;
    write(folder.join("tls/tls.crt"), &certificate.pem())?;
    write(folder.join("tls/tls.key"), &key.serialize_pem())?;
    // What most webhooks' own certificate makers still make.
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
    let certificate = rcgen::CertificateParams::new(names)?.self_signed(&key)?;
    write(folder.join("tls-rsa/tls.crt"), &certificate.pem())?;
    write(folder.join("tls-rsa/tls.key"), &key.serialize_pem())?;
    const PER_FILE: usize = 100;
    for first in (0..personas).step_by(PER_FILE) {
        let documents: Vec<String> = (first..personas.min(first + PER_FILE)).map(payloads::persona).collect();
        write(
            folder.join(format!("personas-{personas}/{first:06}.yaml")),
            &documents.join("---\n"),
        )?;
    }
    for shape in payloads::SHAPES {
        for variant in payloads::VARIANTS {
            let name = format!("payloads/{}-{}.json", shape.name, variant.name());
            write(folder.join(name), &payloads::review(shape, variant, 7))?;
        }
    }
    Ok(())
}
