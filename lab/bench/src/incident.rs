//! `cargo xtask bench`: the numbers that the README claims, from real kills; results are kept in
//! `benches/results/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::incident::{Expect, Played, Programs, Script, play};
use lastgasp_lab::toolchain;
use serde_json::Value;

use lastgasp_lab::machine::{lastgasp, machine};

/// One way of recording.
struct Way {
    name: &'static str,
    args: &'static [&'static str],
}

const WAYS: &[Way] = &[
    Way { name: "freeze and pin", args: &[] },
    Way { name: "pin only", args: &["--no-freeze"] },
    Way { name: "freeze only", args: &["--no-pin"] },
];

/// What one kill gave.
#[derive(Default)]
struct Kill {
    /// A complete capture names the culprit.
    named: bool,
    lived: f64,
    /// Milliseconds the target stood still, one per capture.
    stopped: Vec<f64>,
    /// Culprit's growth by lastgasp over the truth's growth of the heap.
    against_truth: f64,
    /// Share of the Go heap's growth that has a site.
    attributed: f64,
    published: u64,
    current: u64,
    calm_cpu: f64,
    peak_rss: u64,
}

/// Plays `kills` incidents each way and prints and stores what came of them.
pub(crate) fn run(kills: usize, calm: u64) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let programs = Programs::build(&toolchain, Mode::Stripped)?;
    let expect = Expect::load()?;
    let mut out = header(&toolchain.version)?;
    for way in WAYS {
        let mut all = Vec::new();
        for i in 0..kills {
            let store = cache_dir().join("bench").join(way.name.replace(' ', "-"));
            let _ = std::fs::remove_dir_all(&store);
            let script = Script {
                lastgasp: lastgasp.clone(),
                run_args: way.args.iter().map(|a| (*a).to_owned()).collect(),
                service_args: Vec::new(),
                calm: Duration::from_secs(calm),
                after: Duration::from_secs(20),
                store: store.clone(),
                survivors: None,
            };
            let played = play(&programs, &expect, &script)?;
            let kill = judge(&lastgasp, &expect, &played, &store)?;
            eprintln!("{} {}/{kills}: {}", way.name, i + 1, if kill.named { "named" } else { "MISSED" });
            if !kill.named {
                eprintln!("{}\n{}", played.stdout, played.stderr);
            }
            all.push(kill);
        }
        summarise(&mut out, way, &all);
    }
    print!("{out}");
    let folder = repo_root().join("benches/results");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("incident.txt"), out)?;
    Ok(())
}

fn header(go: &str) -> Result<String> {
    machine(&format!("lab/programs/incident, {go} stripped"))
}

/// Looks at the last capture of a kill through `lastgasp report --format json`, as a user would.
fn judge(lastgasp: &Path, expect: &Expect, played: &Played, store: &Path) -> Result<Kill> {
    let mut kill = Kill {
        lived: played.lived.as_secs_f64(),
        calm_cpu: played.calm_cpu,
        peak_rss: played.peak_rss,
        ..Kill::default()
    };
    if played.code.is_none() {
        bail!("the service survived\n{}", played.stderr);
    }
    let mut seen_after = false;
    for path in played.captures(store) {
        let report = report(lastgasp, &path)?;
        let sites = report["profile"]["sites"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| -> u64 {
            let hits = sites.iter().filter(|s| s["function"] == expect.culprit.function.as_str());
            hits.filter_map(|s| s[name]["bytes"].as_u64()).sum()
        };
        let complete = report["capture"]["complete"] == true;
        let names = report["verdict"]["sentence"].as_str().is_some_and(|s| s.starts_with(&expect.culprit.function));
        kill.named |= complete && names;
        let stopped = report["capture"]["stopped_ns"].as_u64().unwrap_or(0);
        if stopped > 0 {
            kill.stopped.push(stopped as f64 / 1e6);
        }
        // The one after the kill is nearest to the truth's last word; else the last before it (paths sort by
        // second, then phase, then number).
        let after = report["capture"]["phase"] == "post-kill";
        if seen_after && !after {
            continue;
        }
        seen_after |= after;
        let truth = played.truth.heap_objects.saturating_sub(played.truth.heap_before) as f64;
        kill.against_truth = of("growth") as f64 / truth.max(1.0);
        kill.published = of("published");
        kill.current = of("current");
        let grown = report["profile"]["totals"]["growth"]["bytes"].as_u64().unwrap_or(0) as f64;
        kill.attributed = grown / truth.max(1.0);
    }
    Ok(kill)
}

fn report(lastgasp: &Path, capture: &PathBuf) -> Result<Value> {
    let out = Command::new(lastgasp).args(["report", "--format", "json"]).arg(capture).output()?;
    serde_json::from_slice(&out.stdout).with_context(|| capture.display().to_string())
}

/// (median, maximum).
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut v: Vec<f64> = values.collect();
    v.sort_by(f64::total_cmp);
    (v.get(v.len() / 2).copied().unwrap_or(0.0), v.last().copied().unwrap_or(0.0))
}

fn summarise(out: &mut String, way: &Way, kills: &[Kill]) {
    let named = kills.iter().filter(|k| k.named).count();
    let (lived, longest) = spread(kills.iter().map(|k| k.lived));
    let stopped: Vec<f64> = kills.iter().flat_map(|k| k.stopped.iter().copied()).collect();
    let (still, worst) = spread(stopped.iter().copied());
    let (truth, _) = spread(kills.iter().map(|k| k.against_truth));
    let (_, off) = spread(kills.iter().filter(|k| k.named).map(|k| (k.against_truth - 1.0).abs()));
    let (attributed, _) = spread(kills.iter().map(|k| k.attributed));
    let (published, _) = spread(kills.iter().map(|k| k.published as f64));
    let (current, _) = spread(kills.iter().map(|k| k.current as f64));
    let (cpu, most) = spread(kills.iter().map(|k| k.calm_cpu * 100.0));
    let (_, rss) = spread(kills.iter().map(|k| k.peak_rss as f64));
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "\n{}\n  complete captures that name the culprit    {named} of {}\n  publish to kill                            {lived:.1} s median, {longest:.1} s longest\n  \
         target stood still per capture             {still:.1} ms median, {worst:.1} ms maximum ({} stops)\n  culprit's growth against the truth         {:.1} % median, off by {:.1} % at most\n  \
         growth of the Go heap attributed to sites  {:.1} % median\n  culprit in use: current / published        {:.0} MB / {:.0} MB median\n  \
         lastgasp while calm                        {cpu:.2} % of a core median, {most:.2} % maximum\n  lastgasp peak RSS                          {:.1} MB",
        way.name,
        kills.len(),
        stopped.len(),
        truth * 100.0,
        off * 100.0,
        attributed * 100.0,
        current / 1e6,
        published / 1e6,
        rss / 1e6,
    );
}
