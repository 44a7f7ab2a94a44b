//! `cargo xtask incident`: the world of an incident, for real, played by a scenario; ends with the verdict of
//! `lastgasp incident`. With `--all` every scenario, and what is said of each held against its truth.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_cluster::judge::mask::Mask;
use lastgasp_cluster::judge::table::render;
use lastgasp_cluster::judge::tally::{Row, Tally};
use lastgasp_cluster::judge::what_if::table;
use lastgasp_cluster::play::{play, verdict};
use lastgasp_cluster::scenario::Scenario;
use lastgasp_cluster::series::{Series, kept};
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::progress::Progress;

/// Play an incident with a real balancer, real callers, etcd, Prometheus and the daemon, on this machine.
/// Needs root; installs haproxy, etcd-server and prometheus where they are missing.
#[derive(Parser)]
#[command(name = "cargo xtask incident")]
struct Cli {
    /// A scenario's file, wherever it is, or the name of one of lab/cluster/scenarios (default: the incident
    /// of the notes, with its decoys)
    scenario: Option<PathBuf>,
    /// Where the verdict's document (JSON) goes
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Moves times, sizes and rates a little, always in the same way
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The lastgasp that is tried (default: this one, which is built first)
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
    /// Folder for the store and what was so (default: target/lab/cluster/plays/NAME)
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Only say whether scenarios are right, of this file or of all
    #[arg(long)]
    check: bool,
    /// Play all scenarios and hold what is said of each against its truth
    #[arg(long, conflicts_with_all = ["scenario", "keep", "json"])]
    all: bool,
    /// Of all only those that are kept out of tuning
    #[arg(long, requires = "all")]
    hold_out: bool,
    /// Of all only those that may be tuned on
    #[arg(long, requires = "all", conflicts_with = "hold_out")]
    tuning: bool,
    /// Of all only these, by name or family
    #[arg(long, requires = "all", value_delimiter = ',')]
    only: Vec<String>,
    /// Judge plays that were kept, and play only what is missing
    #[arg(long)]
    again: bool,
    /// What the verdicts on these scenarios say would have been is played, and held against what then is
    #[arg(long, value_name = "NAMES", value_delimiter = ',', num_args = 0..=1, default_missing_value = WHAT_IFS)]
    #[arg(conflicts_with_all = ["scenario", "all", "json", "keep"])]
    what_if: Vec<String>,
    /// Not with feeds taken away one by one
    #[arg(long, requires = "all")]
    no_masks: bool,
}

/// The incident of the notes.
const NOTES: &str = "notes";

/// Scenarios whose what-ifs are played if none is named: of each shape of what a request makes, one.
const WHAT_IFS: &str = "config-no-feed,config-structures,config-text";

fn main() -> Result<()> {
    let cli = Cli::parse();
    let folder = repo_root().join("lab/cluster/scenarios");
    if cli.check {
        let all = match &cli.scenario {
            Some(file) => vec![Scenario::load(&file_of(file, &folder))?],
            None => Scenario::all(&folder)?,
        };
        println!(
            "{} scenarios are right, {} of them out of tuning",
            all.len(),
            all.iter().filter(|s| s.hold_out).count()
        );
        return Ok(());
    }
    if !cli.what_if.is_empty() {
        return what_ifs(&cli, &folder);
    }
    if cli.all { all(&cli, &folder) } else { one(&cli, &folder) }
}

fn one(cli: &Cli, folder: &Path) -> Result<()> {
    let file = file_of(cli.scenario.as_deref().unwrap_or(Path::new(NOTES)), folder);
    let scenario = Scenario::load(&file)?.seeded(cli.seed);
    let binary = binary(cli)?;
    let folder = cli.keep.clone().unwrap_or_else(|| kept(&scenario.name, cli.seed));
    let progress = Progress::start();
    progress.say(&format!("{}: {}", scenario.name, scenario.title));
    let played = play(&scenario, cli.seed, &binary, &folder, &progress)?;
    for failure in &played.record.failures {
        progress.say(&format!("could not be done: {failure}"));
    }
    for change in &played.record.unheard {
        progress.say(&format!("lastgasp was not told: {change}"));
    }
    progress.set("the verdict", "");
    let document = verdict(&binary, &scenario.service.name, &played.store())?;
    if let Some(file) = &cli.json {
        std::fs::write(file, serde_json::to_string_pretty(&document)?).with_context(|| file.display().to_string())?;
    }
    drop(progress);
    // It says by its exit code what it found; the play is well if it said it.
    std::process::Command::new(&binary)
        .args(["incident", &scenario.service.name, "--store"])
        .arg(played.store())
        .status()?;
    println!("\nSTORE    {}", played.store().display());
    println!("TRUTH    {} {}", scenario.truth.kind, scenario.truth.key.all().join(" or "));
    if !played.record.failures.is_empty() {
        bail!("{} actions of the scenario could not be done", played.record.failures.len());
    }
    Ok(())
}

fn all(cli: &Cli, folder: &Path) -> Result<()> {
    let mut scenarios = Scenario::all(folder)?;
    for word in &cli.only {
        if !scenarios.iter().any(|s| s.name == *word || s.family == *word) {
            bail!("no scenario and no family {word:?}");
        }
    }
    scenarios.retain(|s| cli.only.is_empty() || cli.only.iter().any(|w| s.name == *w || s.family == *w));
    scenarios.retain(|s| (!cli.hold_out || s.hold_out) && (!cli.tuning || !s.hold_out));
    let series = Series { lastgasp: binary(cli)?, seed: cli.seed, again: cli.again, masks: !cli.no_masks };
    let progress = Progress::start();
    let mut rows: Vec<Row> = Vec::new();
    let whole = cli.only.is_empty() && !cli.hold_out && !cli.tuning;
    for (n, scenario) in scenarios.iter().enumerate() {
        progress.say(&format!("{} of {}: {}: {}", n + 1, scenarios.len(), scenario.name, scenario.title));
        let of_one = series.one(scenario, &progress);
        if let Some(row) = of_one.first() {
            let j = &row.judgement;
            let word = if row.not_counted.is_empty() {
                if j.first { "right" } else { "WRONG" }
            } else {
                row.not_counted.as_str()
            };
            progress.say(&format!(
                "{}: {word}: truth {}, said {} {} ({:.2})",
                row.name, row.truth, j.kind, j.key, j.confidence
            ));
        }
        rows.extend(of_one);
        // Whatever happens to the rest, these are told.
        let text = render(&machine(&head(&rows, cli.seed))?, &rows);
        keep(&text, &rows, whole)?;
    }
    drop(progress);
    println!("{}", render(&machine(&head(&rows, cli.seed))?, &rows));
    let missed = misses(&rows);
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

fn what_ifs(cli: &Cli, folder: &Path) -> Result<()> {
    let series = Series { lastgasp: binary(cli)?, seed: cli.seed, again: cli.again, masks: false };
    let progress = Progress::start();
    let mut rows = Vec::new();
    for name in &cli.what_if {
        let scenario = Scenario::load(&file_of(Path::new(name), folder))?;
        rows.extend(series.what_ifs(&scenario, &progress)?);
    }
    drop(progress);
    let header = machine(&format!("lab/cluster, what-ifs of {}, played", cli.what_if.join(", ")))?;
    let text = table(&header, &rows);
    println!("{text}");
    let whole = cli.what_if.join(",") == WHAT_IFS;
    let folder = if whole { repo_root().join("benches/results") } else { cache_dir().join("cluster") };
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("what-ifs.txt");
    std::fs::write(&file, text).with_context(|| file.display().to_string())
}

/// What was played, for the first line of results.
fn head(rows: &[Row], seed: u64) -> String {
    let whole: Vec<&Row> = rows.iter().filter(|r| r.mask == Mask::Nothing).collect();
    let busy = whole.iter().map(|r| r.busy).sum::<f64>() / whole.len().max(1) as f64;
    format!("lab/cluster, {} scenarios, seed {seed}, processors {:.0} % busy", whole.len(), busy * 100.0)
}

/// What is aimed at, and was not reached (percent): of all, and of those that are held out.
fn misses(rows: &[Row]) -> Vec<String> {
    let mut out = Vec::new();
    for (what, held) in [("all", None), ("held out", Some(true))] {
        let t = Tally::of(rows.iter().filter(|r| r.mask == Mask::Nothing && held.is_none_or(|h| r.hold_out == h)));
        if t.of == 0 {
            continue;
        }
        let mut miss = |name: &str, percent: f64, is_missed: bool| {
            if is_missed {
                out.push(format!("{what}: {name}: {percent:.0} %"));
            }
        };
        miss("right at once", t.percent(t.first), t.percent(t.first) < 90.0);
        miss("right among three", t.percent(t.third), t.percent(t.third) < 98.0);
        miss("sure and wrong", t.percent(t.sure_and_wrong), t.percent(t.sure_and_wrong) > 2.0);
    }
    out
}

/// Results of all scenarios are kept in the repository, those of some where nothing else is overwritten.
fn keep(text: &str, rows: &[Row], whole: bool) -> Result<()> {
    let folder = if whole { repo_root().join("benches/results") } else { cache_dir().join("cluster") };
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("incidents.txt");
    std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    let lines: Vec<String> = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(folder.join("incidents.jsonl"), lines.join("\n") + "\n")?;
    Ok(())
}

/// A file by its path, or a scenario of the repository by its name.
fn file_of(given: &Path, folder: &Path) -> PathBuf {
    let named = folder.join(given).with_extension("toml");
    if given.components().count() == 1 && !given.exists() && named.exists() { named } else { given.to_owned() }
}

fn binary(cli: &Cli) -> Result<PathBuf> {
    match &cli.bin {
        Some(path) => Ok(std::path::absolute(path)?),
        None => lastgasp(),
    }
}
