//! Measures the memory of a server: at rest, the peak while it starts, the peak while it reads everything again, and for each
//! open, silent connection.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::connection::{Connection, connector, request};
use crate::payloads::{SHAPES, Variant, review};
use crate::process::Usage;

/// The server to measure, and how long it rests before.
#[derive(Args)]
pub struct Measurement {
    /// The folder that `prepare` wrote, with `personas-N` in it.
    #[arg(long)]
    work: PathBuf,
    /// How many personas, each a process of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,10000,100000")]
    personas: Vec<usize>,
    /// A script that knows `serve personas-N PORT WORK`.
    #[arg(long, default_value = "peers/dorgu/recipe")]
    recipe: PathBuf,
    /// How many connections are opened, asked on once, and left open.
    #[arg(long, default_value_t = 500)]
    connections: u32,
    /// Seconds of rest before a process is measured.
    #[arg(long, default_value_t = 10)]
    rest: u64,
    /// Where the JSON goes.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row {
    personas: usize,
    ready_ms: u128,
    rest_kib: u64,
    peak_kib: u64,
    again_peak_kib: u64,
    again_rest_kib: u64,
    connection_kib: f64,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Measurement {
    pub fn run(&self) -> anyhow::Result<()> {
        println!(
            "| mode, personas | at rest, MiB | at most until then | at most while all is read again | after that | KiB for an idle connection | ready after ms |"
        );
        println!("|---|---|---|---|---|---|---|");
        let mut rows = Vec::new();
        for personas in &self.personas {
            let row = self.measure(*personas)?;
            let mib = |kib: u64| kib as f64 / 1024.0;
            println!(
                "| files, {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
                row.personas,
                mib(row.rest_kib),
                mib(row.peak_kib),
                mib(row.again_peak_kib),
                mib(row.again_rest_kib),
                row.connection_kib,
                row.ready_ms
            );
            rows.push(row);
        }
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
        }
        Ok(())
    }

    fn measure(&self, personas: usize) -> anyhow::Result<Row> {
        let (mut server, address, ready) = self.start(personas)?;
        let pid = server.0.id();
        std::thread::sleep(Duration::from_secs(self.rest));
        let rest = Usage::of(pid)?;

        Usage::forget_peak(pid)?;
        rewrite(&self.work.join(format!("personas-{personas}")))?;
        until_idle(pid)?;
        std::thread::sleep(Duration::from_secs(self.rest));
        let again = Usage::of(pid)?;

        let connected = crate::runtime()?.block_on(self.connect(address, pid))?;
        if let Some(status) = server.0.try_wait()? {
            bail!("the server ended ({status})");
        }
        Ok(Row {
            personas,
            ready_ms: ready.as_millis(),
            rest_kib: rest.rss_kib,
            peak_kib: rest.peak_kib,
            again_peak_kib: again.peak_kib,
            again_rest_kib: again.rss_kib,
            connection_kib: connected.saturating_sub(again.rss_kib) as f64 / f64::from(self.connections.max(1)),
        })
    }

    /// A running server, and how long it took until it listened, which is when it has read everything.
    fn start(&self, personas: usize) -> anyhow::Result<(Server, SocketAddr, Duration)> {
        // It was free a moment ago, and no other process takes ports here.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = std::fs::File::create(self.work.join("memory.log"))?;
        let started = Instant::now();
        let process = std::process::Command::new(std::path::absolute(&self.recipe)?)
            .args(["serve", &format!("personas-{personas}"), &port.to_string()])
            .arg(std::path::absolute(&self.work)?)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.recipe.display()))?;
        let mut server = Server(process);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.0.try_wait()? {
                bail!("the server ended ({status}); see memory.log");
            }
            if started.elapsed() > Duration::from_secs(300) {
                bail!("the server does not listen");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok((server, address, started.elapsed()))
    }

    /// Opens the connections, sends one request on each, as their clients do, and returns the resident memory in KiB.
    async fn connect(&self, address: SocketAddr, pid: u32) -> anyhow::Result<u64> {
        let (connector, body) = (connector()?, review(SHAPES[0], Variant::Compliant, 0));
        let bytes = request(&body);
        let mut open = Vec::new();
        for _ in 0..self.connections {
            let mut connection = Connection::open(address, &connector).await?;
            connection.ask(&bytes).await?;
            open.push(connection);
        }
        tokio::time::sleep(Duration::from_secs(self.rest)).await;
        Ok(Usage::of(pid)?.rss_kib)
    }
}

/// Gives every file of a folder another last line, so that each has to be read again and says what it said.
fn rewrite(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let again = match text.strip_suffix("# again\n") {
            Some(before) => before.to_owned(),
            None => text + "# again\n",
        };
        std::fs::write(&path, again)?;
    }
    Ok(())
}

/// Waits until a process does nothing any more: it has used no processor time for three seconds.
fn until_idle(pid: u32) -> anyhow::Result<()> {
    let (mut before, mut since) = (Usage::of(pid)?.cpu(), Instant::now());
    while since.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(100));
        let now = Usage::of(pid)?.cpu();
        // Looking around every few seconds takes less than a tick, or one.
        if now - before > 0.015 {
            since = Instant::now();
        }
        before = now;
    }
    Ok(())
}
