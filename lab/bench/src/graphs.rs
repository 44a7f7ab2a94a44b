//! `cargo xtask bench-graphs`: of so many kills of the lab's incident, after how many the heap graph of the
//! dead was whole, and said which copies had killed it; how its time went, and what it cost. What is dead is
//! there for two seconds: with `--busy` both processors have something else to do meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::incident::{Expect, Played, Programs, Script, document, play};
use lastgasp_lab::incident_graph::{copies_missed, unsaid};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;
use serde_json::Value;

/// What is played, and beside what.
#[derive(Args)]
pub(crate) struct Options {
    /// Kills
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Seconds of calm before the big config
    #[arg(long, default_value_t = 12)]
    calm: u64,
    /// Beside a busy loop for each processor
    #[arg(long)]
    busy: bool,
    /// The lastgasp to measure (default: built for release)
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// What came of one kill.
#[derive(Debug, Default)]
struct Kill {
    /// There is a graph, and nothing of it is missing.
    whole: bool,
    /// What its copies get wrong, held against the service's own truth.
    missed: Vec<String>,
    gaps: Vec<String>,
    took_ms: f64,
    processor_ms: f64,
    peak_mb: f64,
    phases: Vec<(String, f64)>,
}

/// Plays so many kills; prints and keeps what came of them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let lastgasp = options.lastgasp.clone().map_or_else(lastgasp, Ok)?;
    let toolchain = toolchain::any(&cache_dir())?;
    let programs = Programs::build(&toolchain, Mode::Stripped)?;
    let expect = Expect::load()?;
    let mut all = Vec::new();
    for i in 1..=options.kills {
        let store = cache_dir().join("bench").join("graphs");
        let _ = std::fs::remove_dir_all(&store);
        let script = Script {
            lastgasp: lastgasp.clone(),
            run_args: Vec::new(),
            service_args: Vec::new(),
            calm: Duration::from_secs(options.calm),
            after: Duration::from_secs(60),
            store: store.clone(),
            survivors: None,
        };
        let busy = options.busy.then(Busy::start).transpose()?;
        let played = play(&programs, &expect, &script)?;
        drop(busy);
        if played.code.is_none() {
            bail!("the service survived\n{}", played.stderr);
        }
        let kill = judged(&lastgasp, &expect, &played, &store)?;
        eprintln!(
            "{i}/{}: {}, copies {}, {:.0} ms, {:.0} ms of processors, {:.0} MB",
            options.kills,
            if kill.whole { "whole" } else { "NOT WHOLE" },
            if kill.missed.is_empty() { "told" } else { "MISSED" },
            kill.took_ms,
            kill.processor_ms,
            kill.peak_mb
        );
        kill.gaps.iter().for_each(|gap| eprintln!("  gap: {gap}"));
        kill.missed.iter().for_each(|missed| eprintln!("  copies: {missed}"));
        all.push(kill);
    }
    let beside = if options.busy { "beside a busy loop for each processor" } else { "beside nothing of ours" };
    let mut out =
        machine(&format!("cargo xtask bench-graphs: lab/programs/incident, {} stripped, {beside}", toolchain.version))?;
    summarise(&mut out, &all);
    print!("{out}");
    let folder = repo_root().join("benches/results");
    std::fs::create_dir_all(&folder)?;
    let file = if options.busy { "graphs-of-the-dead-busy.txt" } else { "graphs-of-the-dead.txt" };
    std::fs::write(folder.join(file), out)?;
    Ok(())
}

/// Something else that both processors have to do; ended when dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Result<Self> {
        let mut all = Self(Vec::new());
        for _ in 0..std::thread::available_parallelism()?.get() {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
            all.0.push(command.spawn().context("sh")?);
        }
        Ok(all)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The capture after the kill, through `lastgasp report --format json`, and how long its graph took, of its
/// facts.
fn judged(lastgasp: &Path, expect: &Expect, played: &Played, store: &Path) -> Result<Kill> {
    let after = |p: &PathBuf| p.to_string_lossy().ends_with("post-kill");
    let Some(capture) = played.captures(store).into_iter().find(after) else {
        return Ok(Kill { missed: vec!["no capture after the kill".into()], ..Kill::default() });
    };
    let document = document(lastgasp, &capture)?;
    let mut missed = copies_missed(&document, expect, &played.truth);
    missed.extend(unsaid(&document, expect));
    let gaps = |of: &Value| -> Vec<String> {
        let list = of.as_array().map_or(&[][..], Vec::as_slice);
        list.iter().map(|g| g.as_str().map_or_else(|| g.to_string(), str::to_owned)).collect()
    };
    let facts = Command::new("gzip").arg("-dc").arg(capture.join("facts.json.gz")).output().context("gzip")?;
    let facts: Value = serde_json::from_slice(&facts.stdout).context("facts.json.gz")?;
    let graph = &facts["graph"];
    if graph.is_null() {
        return Ok(Kill { missed, gaps: gaps(&document["capture"]["gaps"]), ..Kill::default() });
    }
    let number = |name: &str| graph[name].as_f64().unwrap_or(0.0);
    let phases = graph["phases"].as_array().map_or(&[][..], Vec::as_slice);
    let gaps = gaps(&graph["gaps"]);
    Ok(Kill {
        whole: gaps.is_empty(),
        missed,
        gaps,
        took_ms: number("took_ns") / 1e6,
        processor_ms: number("processor_us") / 1e3,
        peak_mb: number("peak_bytes") / 1e6,
        phases: phases
            .iter()
            .map(|p| (p["what"].as_str().unwrap_or_default().to_owned(), p["us"].as_f64().unwrap_or(0.0) / 1e3))
            .collect(),
    })
}

fn summarise(out: &mut String, kills: &[Kill]) {
    let with = |f: &dyn Fn(&Kill) -> bool| kills.iter().filter(|k| f(k)).count();
    let told = |f: &dyn Fn(&Kill) -> f64| {
        let mut v: Vec<f64> = kills.iter().map(f).collect();
        v.sort_by(f64::total_cmp);
        let at = |part: f64| v.get(((v.len() as f64 * part) as usize).min(v.len().saturating_sub(1))).copied();
        format!("{:>8.0} median {:>8.0} most", at(0.5).unwrap_or(0.0), v.last().copied().unwrap_or(0.0))
    };
    // Writing into a String cannot fail.
    let _ =
        writeln!(out, "copies told, as the service counts them  {} of {}", with(&|k| k.missed.is_empty()), kills.len());
    let _ = writeln!(out, "graph whole, without any gap             {} of {}", with(&|k| k.whole), kills.len());
    let _ = writeln!(out, "graph made, ms                           {}", told(&|k| k.took_ms));
    let _ = writeln!(out, "time of processors, ms                   {}", told(&|k| k.processor_ms));
    let _ = writeln!(out, "most memory of its worker, MB            {}", told(&|k| k.peak_mb));
    let mut phases: Vec<String> = Vec::new();
    for (what, _) in kills.iter().flat_map(|k| &k.phases) {
        if !phases.contains(what) {
            phases.push(what.clone());
        }
    }
    for phase in phases {
        let of = |k: &Kill| k.phases.iter().find(|(what, _)| *what == phase).map_or(0.0, |(_, ms)| *ms);
        let _ = writeln!(out, "  {phase:<38} {}", told(&of));
    }
    let mut why: BTreeMap<&str, usize> = BTreeMap::new();
    for gap in kills.iter().flat_map(|k| k.gaps.iter().chain(&k.missed)) {
        *why.entry(gap).or_default() += 1;
    }
    for (gap, times) in why {
        let _ = writeln!(out, "missing, {times} x: {gap}");
    }
}
