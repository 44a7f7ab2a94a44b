//! `cargo xtask incident`: the world of an incident, for real, played by a scenario; ends with the verdict of
//! `lastgasp incident`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_cluster::play::{play, verdict};
use lastgasp_cluster::scenario::Scenario;
use lastgasp_cluster::world::janitor;
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::machine::lastgasp;
use lastgasp_lab::progress::Progress;

/// Play an incident with a real balancer, real callers, etcd, Prometheus and the daemon, on this machine.
/// Needs root; installs haproxy, etcd-server and prometheus where they are missing.
#[derive(Parser)]
#[command(name = "cargo xtask incident")]
struct Cli {
    /// A scenario's file, wherever it is, or the name of one of lab/cluster/scenarios (default: the incident of
    /// the notes, with its decoys)
    scenario: Option<PathBuf>,
    /// Where the verdict's document (JSON) goes
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Moves times, sizes and rates a little, always in the same way
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The lastgasp that is tried (default: this one, built for release)
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
    /// Folder for the store and what was so (default: target/lab/cluster/NAME)
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Only say whether scenarios are right, of this file or of all
    #[arg(long)]
    check: bool,
}

/// The incident of the notes.
const NOTES: &str = "notes";

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|a| a == janitor::ARGUMENT) {
        return janitor::serve(&arguments.map(PathBuf::from).collect::<Vec<_>>());
    }
    let cli = Cli::parse();
    let folder = repo_root().join("lab/cluster/scenarios");
    if cli.check {
        let all = match &cli.scenario {
            Some(file) => vec![Scenario::load(&file_of(file, &folder))?],
            None => Scenario::all(&folder)?,
        };
        println!("{} scenarios are right", all.len());
        return Ok(());
    }
    let file = file_of(cli.scenario.as_deref().unwrap_or(Path::new(NOTES)), &folder);
    let scenario = Scenario::load(&file)?.seeded(cli.seed);
    let binary = binary(&cli)?;
    let kept = cli.keep.clone().unwrap_or_else(|| cache_dir().join("cluster/plays").join(&scenario.name));
    let progress = Progress::start();
    progress.say(&format!("{}: {}", scenario.name, scenario.title));
    let played = play(&scenario, cli.seed, &binary, &kept, &progress)?;
    drop(progress);
    for failure in &played.record.failures {
        eprintln!("could not be done: {failure}");
    }
    for change in &played.record.unheard {
        eprintln!("lastgasp was not told: {change}");
    }
    println!("STORE    {}", played.store().display());
    let document = verdict(&binary, &scenario.service.name, &played.store())?;
    if let Some(file) = &cli.json {
        std::fs::write(file, serde_json::to_string_pretty(&document)?).with_context(|| file.display().to_string())?;
    }
    let status = std::process::Command::new(&binary)
        .args(["incident", &scenario.service.name, "--store"])
        .arg(played.store())
        .status()?;
    println!("TRUTH    {} {}", scenario.truth.kind, scenario.truth.key.all().join(" or "));
    if !played.record.failures.is_empty() {
        bail!("{} actions of the scenario could not be done", played.record.failures.len());
    }
    let _ = status;
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
