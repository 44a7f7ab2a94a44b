//! `cargo xtask deaths`: every way to die is played with a memory profile and without, and what the report
//! says of each is held against the truth (this crate's library). Prints a table, writes it to
//! `benches/results/deaths.txt` with what was said as JSON beside it, fails if an aim is missed.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_deaths::expect::{Causes, Expect};
use lastgasp_deaths::play::{Play, Played, Programs, play};
use lastgasp_deaths::tally::{Tally, all, line, of_ci, render};
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::progress::Progress;
use lastgasp_lab::toolchain::{self, find_or_fetch};

/// Have Go programs die of memory in every way of lab/deaths, profiled and not, under `lastgasp run`, and
/// hold what the reports say against the truth. Needs root.
#[derive(Parser)]
#[command(name = "cargo xtask deaths")]
struct Cli {
    /// Only these ways, or one play of a way: lock-held, lock-held/unprofiled (default: all)
    #[arg(long, value_delimiter = ',')]
    ways: Vec<String>,
    /// Only every third play, from this one on
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..3))]
    third: Option<u8>,
    /// Only those that the tests in CI play
    #[arg(long)]
    ci: bool,
    /// A minor (22) or a release (1.22.10) of Go (default: that on PATH)
    #[arg(long)]
    go: Option<String>,
    /// The lastgasp that is tried (default: this one, built for release)
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let (expect, causes) = (Expect::load()?, Causes::load()?);
    let plays = chosen(&cli, &expect)?;
    let lastgasp = match &cli.bin {
        Some(path) => std::path::absolute(path)?,
        None => lastgasp()?,
    };
    let progress = Progress::start();
    progress.set("building the programs", "");
    let toolchain = match cli.go.as_deref() {
        None => toolchain::any(&cache_dir())?,
        Some(go) => match go.parse::<u16>() {
            Ok(minor) => find_or_fetch(minor, &cache_dir())?,
            Err(_) => toolchain::any(&cache_dir())?.at(go.trim_start_matches("go"))?,
        },
    };
    let programs = Programs::build(&toolchain, &expect)?;
    progress.done("building the programs", &format!("{} plays with {}", plays.len(), toolchain.version));
    let mut played = Vec::new();
    for one in &plays {
        if !programs.has(one) {
            progress.say(&format!("{}: not built: no C compiler", one.id()));
            continue;
        }
        let row = play(&lastgasp, &programs, one, &causes)?;
        progress.say(&line(&row));
        played.push(row);
    }
    let seconds = progress.elapsed().as_secs();
    drop(progress);
    let header = machine(&format!("lab/deaths, {} stripped, {seconds} s", toolchain.version))?;
    let text = render(&header, &played);
    println!("\n{text}");
    let whole = cli.ways.is_empty() && cli.third.is_none() && !cli.ci;
    keep(&text, &played, whole)?;
    let missed = Tally::of(&played).misses(expect.aims);
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

fn chosen<'a>(cli: &Cli, expect: &'a Expect) -> Result<Vec<Play<'a>>> {
    let mut plays = if cli.ci { of_ci(expect) } else { all(expect) };
    for name in &cli.ways {
        if !all(expect).iter().any(|p| p.name == name || p.id() == *name) {
            bail!("no way {name}; there are {}", expect.ways.keys().cloned().collect::<Vec<_>>().join(", "));
        }
    }
    plays.retain(|p| cli.ways.is_empty() || cli.ways.iter().any(|w| p.name == w || p.id() == *w));
    if let Some(third) = cli.third {
        plays = plays.into_iter().skip(usize::from(third)).step_by(3).collect();
    }
    Ok(plays)
}

/// Results of all plays are kept in the repository, those of some where nothing else is overwritten.
fn keep(text: &str, played: &[Played], whole: bool) -> Result<()> {
    let folder = if whole { repo_root().join("benches/results") } else { cache_dir() };
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("deaths.txt");
    std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    let rows: Vec<String> = played.iter().map(|p| serde_json::to_string(&p.brief())).collect::<Result<_, _>>()?;
    std::fs::write(folder.join("deaths.jsonl"), rows.join("\n") + "\n")?;
    println!("{}, and what was said in deaths.jsonl beside it", file.display());
    Ok(())
}
