//! `cargo xtask bench-heap`: what it costs to know who keeps a large heap alive, of a live process and of its
//! core, beside goref and viewcore on the same process and the same core.
//!
//! - `subject`: the program, alive, then its core.
//! - `tool`: one run of a tool: wall, processor time, memory, how long the program stood still.

mod subject;
mod tool;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;
use serde_json::Value;

use subject::Subject;
use tool::{Cost, run_tool};

/// What is measured, and with what.
#[derive(Args)]
pub(crate) struct Options {
    /// Sizes of the live heap, in GiB
    #[arg(long, value_delimiter = ',', default_value = "0.25,0.5,1,2,4")]
    sizes: Vec<f64>,
    /// The goref program (grf), to be measured beside: it is in no registry
    #[arg(long)]
    goref: Option<PathBuf>,
    /// The viewcore program of golang.org/x/debug
    #[arg(long)]
    viewcore: Option<PathBuf>,
    /// The largest heap that these are asked about, in GiB: they take minutes for one of 2
    #[arg(long, default_value_t = 0.5)]
    peers_up_to: f64,
    /// The lastgasp to measure (default: built for release)
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// One line of the table.
struct Row {
    tool: &'static str,
    cost: Cost,
    /// How long the program stood still, in seconds; none of a core.
    stopped: Option<f64>,
    /// Parts of the bytes in use: attributed to an owner, or called garbage; with a type.
    attributed: Option<f64>,
    typed: Option<f64>,
}

/// Measures each size; prints and keeps the figures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let lastgasp = options.lastgasp.clone().map_or_else(lastgasp, Ok)?;
    let toolchain = toolchain::any(&cache_dir())?;
    let program = build(&toolchain, Mode::Plain, &repo_root().join("lab/programs/mixed"), ".")?;
    let mut out = machine(&format!("cargo xtask bench-heap: lab/programs/mixed, {}", toolchain.version))?;
    out += "Processors may be shared with others: CPU s is what to compare, wall s what was seen beside it. Memory: anonymous pages of all processes of a tool at once.\n\
            attributed: parts of the bytes in use that have an owner or are garbage; typed: of the live ones, those with a type.\n";
    for (tool, path) in [("goref", &options.goref), ("viewcore", &options.viewcore)] {
        match path {
            Some(_) => writeln!(out, "{tool}: built from its source, up to {} GiB", options.peers_up_to)?,
            None => writeln!(out, "{tool}: not measured, as its program was not given (--{tool} PATH)")?,
        }
    }
    for size in &options.sizes {
        let rows = of_size(options, &lastgasp, &program, *size, &mut out)?;
        for r in rows {
            let seconds = |s: Option<f64>| s.map_or("-".into(), |s| format!("{s:.2}"));
            let part = |p: Option<f64>| p.map_or("-".into(), |p| format!("{:.2} %", p * 100.0));
            writeln!(
                out,
                "  {:<36} {:>8.2} {:>8} {:>8.2} {:>9.0} {:>11} {:>9}",
                r.tool,
                r.cost.wall,
                seconds(r.stopped),
                r.cost.cpu,
                r.cost.peak as f64 / 1e6,
                part(r.attributed),
                part(r.typed)
            )?;
        }
    }
    print!("{out}");
    std::fs::write(repo_root().join("benches/results/heap.txt"), out)?;
    Ok(())
}

fn of_size(options: &Options, lastgasp: &Path, program: &Path, size: f64, out: &mut String) -> Result<Vec<Row>> {
    let mut subject = Subject::start(program, (size * (1u64 << 30) as f64) as u64)?;
    eprintln!("{size} GiB: {} objects", subject.objects);
    writeln!(
        out,
        "\n{size} GiB: {:.1} million objects, {} bytes by the runtime's count\n  {:<36} {:>8} {:>8} {:>8} {:>9} {:>11} {:>9}",
        subject.objects as f64 / 1e6,
        subject.bytes,
        "",
        "wall s",
        "stop s",
        "CPU s",
        "peak MB",
        "attributed",
        "typed"
    )?;
    let with_peers = size <= options.peers_up_to;
    let mut rows = Vec::new();
    let store = tempfile::tempdir()?;
    let pid = subject.pid().to_string();
    let args = ["capture", &pid, "--heap", "--max-stop", "10s", "--heap-memory", "8G", "--out"];
    let (cost, said) = run_tool(lastgasp, &args, &[store.path()])?;
    let capture = said.trim().to_owned();
    let document = report(lastgasp, Path::new(&capture))?;
    let stopped = document["graph"]["stopped_ns"].as_u64().map(|ns| ns as f64 / 1e9);
    rows.push(row("lastgasp capture PID --heap", cost, stopped, &document, &subject));
    if let Some(goref) = options.goref.as_ref().filter(|_| with_peers) {
        let file = store.path().join("live.out");
        let (cost, _) = run_tool(goref, &["attach", &pid, "-o"], &[&file])?;
        rows.push(Row {
            stopped: Some(cost.wall),
            ..of_goref("goref attach (stops all along)", cost, &file, &subject)
        });
    }
    let core = subject.core()?;
    let (cost, said) = run_tool(lastgasp, &["report", "--format", "json"], &[&core])?;
    rows.push(row("lastgasp report CORE", cost, None, &serde_json::from_str(&said)?, &subject));
    if let Some(goref) = options.goref.as_ref().filter(|_| with_peers) {
        let file = store.path().join("core.out");
        let (cost, _) = run_tool(goref, &["core"], &[program, &core, Path::new("-o"), &file])?;
        rows.push(of_goref("goref core", cost, &file, &subject));
    }
    if let Some(viewcore) = options.viewcore.as_ref().filter(|_| with_peers) {
        let (cost, said) = run_tool(viewcore, &[], &[&core, Path::new("--exe"), program, Path::new("histogram")])?;
        let (all, typed) = histogram(&said);
        let part = |n: u64| Some(n as f64 / subject.bytes.max(1) as f64);
        rows.push(Row {
            tool: "viewcore histogram",
            cost,
            stopped: None,
            attributed: None,
            typed: part(typed.min(all)),
        });
    }
    Ok(rows)
}

/// A row of ours.
fn row(tool: &'static str, cost: Cost, stopped: Option<f64>, document: &Value, subject: &Subject) -> Row {
    let graph = &document["graph"];
    let number = |name: &str| graph[name].as_u64().unwrap_or(0);
    let heap = document["heap"]["object_bytes"].as_u64();
    let whole = heap.unwrap_or(subject.bytes).max(1);
    let all = number("live_bytes") + number("garbage_bytes");
    Row { tool, cost, stopped, attributed: Some(all as f64 / whole as f64), typed: graph["typed_share"].as_f64() }
}

/// A row of goref's: its profile says how many bytes it came by, and which of them by no type.
fn of_goref(tool: &'static str, cost: Cost, profile: &Path, subject: &Subject) -> Row {
    let top = run_tool(
        Path::new("go"),
        &["tool", "pprof", "-top", "-unit=B", "-nodecount=100000", "-nodefraction=0"],
        &[profile],
    );
    let top = top.map(|(_, said)| said).unwrap_or_default();
    let bytes = |text: &str| text.trim_end_matches('B').parse::<u64>().ok();
    let total = top.lines().find_map(|l| bytes(l.split("of ").nth(1)?.split(' ').next()?)).unwrap_or(0);
    let untyped: u64 =
        top.lines().filter(|l| l.ends_with("$sub_objects$")).filter_map(|l| bytes(l.split_whitespace().next()?)).sum();
    let part = |n: u64| Some(n as f64 / subject.bytes.max(1) as f64);
    Row { tool, cost, stopped: None, attributed: part(total), typed: part(total.saturating_sub(untyped)) }
}

/// Bytes of viewcore's histogram, and those of them whose type it knows.
fn histogram(said: &str) -> (u64, u64) {
    let mut sums = (0, 0);
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, bytes, kind, ..] = words[..] else { continue };
        let Ok(bytes) = bytes.parse::<u64>() else { continue };
        sums.0 += bytes;
        sums.1 += if kind.starts_with("unk") { 0 } else { bytes };
    }
    sums
}

fn report(lastgasp: &Path, subject: &Path) -> Result<Value> {
    let (_, said) = run_tool(lastgasp, &["report", "--format", "json"], &[subject])?;
    Ok(serde_json::from_str(&said)?)
}
