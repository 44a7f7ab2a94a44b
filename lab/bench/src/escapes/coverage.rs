//! How much of what programs allocate has a reason: the lab's service as it dies, and programs of others
//! under load, each with several Go versions.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::incident::{Expect, Programs, Script, play};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use lastgasp_real::fetch::build;
use lastgasp_real::play::Playing;
use lastgasp_real::program::Program;
use serde_json::Value;

use super::escapes;
use super::ranking::agreement;

/// What is measured, and with what.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these: lab, and names of programs
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// Go minors
    #[arg(long, value_delimiter = ',', default_value = "22,24,27")]
    go: Vec<u16>,
    /// Seconds of load
    #[arg(long, default_value_t = 10)]
    load: u64,
    /// The lastgasp to measure (default: built for release)
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// Releases that every minor from 1.22 on builds.
const OF_OTHERS: &[(&str, &str, &str)] = &[
    ("nats-server", "github.com/nats-io/nats-server/v2", "v2.10.24"),
    ("etcd", "go.etcd.io/etcd/server/v3", "v3.5.17"),
    ("caddy", "github.com/caddyserver/caddy/v2/cmd/caddy", "v2.8.4"),
];
/// Share of the bytes that is to have a reason.
const WANTED: f64 = 0.9;

/// Plays all; prints and keeps the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let lastgasp = options.lastgasp.clone().map_or_else(lastgasp, Ok)?;
    let wanted = |name: &str| options.programs.is_empty() || options.programs.iter().any(|p| p == name);
    let mut out = machine(
        "cargo xtask bench-escapes: share of the allocated bytes that has a reason of the compiler, that grows at run time, and that has none; lines ranked as go tool pprof -top -lines ranks them",
    )?;
    let _ = writeln!(
        out,
        "{:<22} {:<9} {:>10} {:>9} {:>9} {:>7} {:>13} {:>8}  missed",
        "program", "go", "allocated", "compiler", "run time", "none", "ranked alike", "seconds"
    );
    let mut missed = 0;
    for minor in &options.go {
        let toolchain = find_or_fetch(*minor, &cache_dir())?;
        if wanted("lab") {
            missed += of_lab(&lastgasp, &toolchain, &mut out)?;
        }
        for &(name, package, version) in OF_OTHERS.iter().filter(|p| wanted(p.0)) {
            let program = Program { name, package, version, go: *minor };
            missed += of_other(&lastgasp, &program, options.load, &mut out)
                .with_context(|| format!("{name} {version} with go1.{minor}"))?;
        }
    }
    print!("{out}");
    let is_whole = options.programs.is_empty() && missed == 0;
    let to = if is_whole { "benches/results/escapes.txt" } else { "target/lab/escapes.txt" };
    std::fs::write(repo_root().join(to), &out)?;
    anyhow::ensure!(
        missed == 0,
        "{missed} of them have less than {:.0} % with a reason, or are ranked otherwise",
        WANTED * 100.0
    );
    Ok(())
}

/// The incident: a capture of the moment before the kernel kills it.
fn of_lab(lastgasp: &Path, toolchain: &Toolchain, out: &mut String) -> Result<usize> {
    let programs = Programs::build(toolchain, Mode::Stripped)?;
    let expect = Expect::load()?;
    let store = tempfile::tempdir()?;
    let script = Script {
        lastgasp: lastgasp.to_owned(),
        run_args: vec!["--no-graph".into()],
        service_args: Vec::new(),
        calm: Duration::from_secs(6),
        after: Duration::from_secs(20),
        store: store.path().to_owned(),
        survivors: None,
    };
    let played = play(&programs, &expect, &script)?;
    let capture = played.captures(store.path()).into_iter().next_back().context("no capture was taken")?;
    let dir = repo_root().join("lab/programs/incident");
    let began = Instant::now();
    // The capture's own profile is what pprof opens too.
    let answer = escapes(lastgasp, toolchain, &dir, &["./resource-service"], &capture)?;
    let took = began.elapsed();
    let of_profile = escapes(lastgasp, toolchain, &dir, &["./resource-service"], &capture.join("heap.pb.gz"))?;
    let ranked = agreement(toolchain, &capture.join("heap.pb.gz"), &of_profile)?;
    Ok(row(out, "lab resource-service", toolchain, &answer, ranked, took))
}

fn of_other(lastgasp: &Path, program: &Program, load: u64, out: &mut String) -> Result<usize> {
    let built = build(program, Mode::Plain)?;
    let playing = Playing::start(program, &built.binary)?;
    std::thread::sleep(Duration::from_secs(load));
    let scratch = tempfile::tempdir()?;
    let profile = scratch.path().join("heap.pb.gz");
    std::fs::write(&profile, playing.heap()?)?;
    drop(playing);
    let module = cache_dir().join("real").join(format!("{}-{}", program.name, program.version)).join("module");
    let began = Instant::now();
    let answer = escapes(lastgasp, &built.toolchain, &module, &[program.package], &profile)?;
    let took = began.elapsed();
    let ranked = agreement(&built.toolchain, &profile, &answer)?;
    Ok(row(out, &format!("{} {}", program.name, program.version), &built.toolchain, &answer, ranked, took))
}

/// A row of the table; 1 if something is missed.
fn row(
    out: &mut String,
    name: &str,
    toolchain: &Toolchain,
    answer: &Value,
    ranked: (usize, usize),
    took: Duration,
) -> usize {
    let coverage = &answer["coverage"];
    let bytes = |of: &str| coverage[of]["bytes"].as_f64().unwrap_or(0.0);
    let total = bytes("total").max(1.0);
    let share = coverage["share"].as_f64().unwrap_or(0.0);
    let is_missed = share < WANTED || ranked.0 < ranked.1;
    let percent = |part: f64| format!("{:.1} %", part * 100.0);
    let line = format!(
        "{name:<22} {:<9} {:>7.0} MB {:>9} {:>9} {:>7} {:>13} {:>8.1}  {}",
        toolchain.version,
        total / 1e6,
        percent(bytes("by_compiler") / total),
        percent(bytes("by_run_time") / total),
        percent(1.0 - share),
        format!("{} of {}", ranked.0, ranked.1),
        took.as_secs_f64(),
        if is_missed { "MISSED" } else { "" }
    );
    eprintln!("{line}");
    let _ = writeln!(out, "{}", line.trim_end());
    usize::from(is_missed)
}
