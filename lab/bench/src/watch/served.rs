//! `bench-watch served`: how long the answers of a Go HTTP service take, unwatched, watched, and while
//! captures are taken of it, in turns.
//!
//! The load is open loop: requests are due at fixed times, and an answer's time counts from when its request
//! was due, so that a service which stands still cannot hide that by slowing down the load.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;

use super::daemon::Daemon;
use super::figures::percentile;
use super::victim::{Programs, Victim};

#[derive(Args)]
pub(crate) struct Options {
    /// Rounds; in each all ways have their turn
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// Seconds of load in each turn
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Requests per second
    #[arg(long, default_value_t = 200)]
    rate: u64,
}

const WAYS: [&str; 3] = ["without", "watched", "watched, a capture every second"];
const PERCENTILES: [&str; 4] = ["p50_ms", "p99_ms", "p999_ms", "max_ms"];
const LIMIT: u64 = 1 << 30;

pub(super) fn run(options: &Options) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let mut programs = Programs::new("served")?;
    let program = programs.add(&toolchain, Mode::Stripped, "served")?;
    let loadgen = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/incident"), "loadgen")?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let server = Victim::start(&lastgasp, &program, 0, LIMIT, &["-listen".into(), address.clone()])?;
    let began = Instant::now();
    while TcpStream::connect(&address).is_err() {
        if began.elapsed() > Duration::from_secs(20) {
            bail!("the service does not listen");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let load = |seconds: u64| load(&loadgen, &address, options.rate, seconds);
    // Connections, heap and scheduler are warm before anything is counted.
    load(5)?;
    let mut turns: BTreeMap<&str, Vec<BTreeMap<String, f64>>> = BTreeMap::new();
    let mut stops = Vec::new();
    for round in 0..options.rounds {
        for turn in 0..WAYS.len() {
            // Each way is first, second and third as often as the others.
            let way = WAYS[(round + turn) % WAYS.len()];
            let mut daemon = match way {
                "without" => None,
                _ => Some(Daemon::start(&lastgasp, &programs.service, "")?),
            };
            std::thread::sleep(Duration::from_secs(1));
            let figures = if way == WAYS[2] {
                let (until, pid) = (Instant::now() + Duration::from_secs(options.seconds), server.pid());
                let (figures, more) = std::thread::scope(|scope| {
                    let captor = scope.spawn(|| capture_every_second(&lastgasp, pid, until));
                    let figures = load(options.seconds);
                    (figures, captor.join().unwrap_or_else(|_| bail!("a thread of the bench panicked")))
                });
                stops.extend(more?);
                figures?
            } else {
                load(options.seconds)?
            };
            if let Some(daemon) = &mut daemon {
                if daemon.watched() == 0 {
                    bail!("the service was not watched\n{}", daemon.log());
                }
                daemon.stop()?;
            }
            eprintln!("round {}, {way}: {figures:?}", round + 1);
            turns.entry(way).or_default().push(figures);
        }
    }
    let mut out = machine(&format!(
        "lab/programs/served, {} stripped, {} requests/s, {} rounds of {} s each way, in turns",
        toolchain.version, options.rate, options.rounds, options.seconds
    ))?;
    for way in WAYS {
        writeln!(out, "\n{way}")?;
        let figures = turns.get(way).map(Vec::as_slice).unwrap_or_default();
        for key in PERCENTILES {
            let values: Vec<f64> = figures.iter().filter_map(|f| f.get(key).copied()).collect();
            let all: Vec<String> = values.iter().map(|v| format!("{v:.2}")).collect();
            let name = key.trim_end_matches("_ms");
            writeln!(out, "  {name:<5} {:8.2} ms median of rounds   ({})", percentile(&values, 0.5), all.join(", "))?;
        }
        let lost: f64 = figures.iter().flat_map(|f| [f.get("failed"), f.get("dropped")]).flatten().sum();
        writeln!(out, "  requests without an answer {lost:.0}")?;
    }
    writeln!(out, "\n  service stopped by each capture  {}", super::figures::line(&stops, "ms"))?;
    super::results::keep("served", &out)
}

/// Puts load on it; gives what the generator says.
fn load(loadgen: &Path, address: &str, rate: u64, seconds: u64) -> Result<BTreeMap<String, f64>> {
    let out = Command::new(loadgen)
        .args(["-latencies", "-url", &format!("http://{address}/"), "-rate", &rate.to_string()])
        .args(["-duration", &format!("{seconds}s")])
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let words = text.split_whitespace().filter_map(|w| w.split_once('='));
    let figures: BTreeMap<String, f64> = words.filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?))).collect();
    if !figures.contains_key("p99_ms") {
        bail!("loadgen: {text}{}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(figures)
}

/// Takes captures by hand, as `lastgasp capture` does; gives how long each stopped the service, in
/// milliseconds.
fn capture_every_second(lastgasp: &Path, pid: i32, until: Instant) -> Result<Vec<f64>> {
    let store = tempfile::tempdir()?;
    let mut captures = Vec::new();
    while Instant::now() < until {
        let next = Instant::now() + Duration::from_secs(1);
        let out = Command::new(lastgasp)
            .args(["capture", &pid.to_string(), "--out"])
            .arg(store.path())
            .env("LASTGASP_CACHE_DIR", store.path().join("cache"))
            .stderr(Stdio::piped())
            .output()?;
        // 3: with gaps.
        if !matches!(out.status.code(), Some(0 | 3)) {
            bail!("capture: {}", String::from_utf8_lossy(&out.stderr));
        }
        let said = String::from_utf8(out.stdout)?;
        captures.push(said.lines().last().context("a path")?.to_owned());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    // Read when the load is over.
    let stopped = |path: &String| -> Result<f64> {
        let out = Command::new(lastgasp).args(["report", "--format", "json", path]).output()?;
        let report: serde_json::Value = serde_json::from_slice(&out.stdout)?;
        Ok(report["capture"]["stopped_ns"].as_u64().context("stopped_ns")? as f64 / 1e6)
    };
    captures.iter().map(stopped).collect()
}
