//! `cargo xtask causes`: every program of `lab/causes` is played, sick and repaired, and what the report says of
//! each goroutine is held against the truth (this crate's library). Prints a table, writes it to
//! `benches/results/causes.txt` with the mistakes as JSON beside it, fails if an aim is missed.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_causes::expect::Expect;
use lastgasp_causes::judge::{judge, judge_healthy};
use lastgasp_causes::play::{HEALTHY, Play, Programs, play};
use lastgasp_causes::tally::{Row, Tally, line, render};
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::progress::Progress;
use lastgasp_lab::toolchain::find_or_fetch;

/// Play Go programs whose goroutines wait for ever, and their repaired twins, and hold what the report says of
/// each goroutine against the truth.
#[derive(Parser)]
#[command(name = "cargo xtask causes")]
struct Cli {
    /// Only these programs, sick and repaired, or one play of one: double-lock/repaired (default: all)
    names: Vec<String>,
    /// Minors of Go
    #[arg(long, value_delimiter = ',', default_value = "19,20,21,22,23,24,25,26,27")]
    go: Vec<u16>,
    /// How the programs are built
    #[arg(long, value_delimiter = ',', default_value = "plain,stripped")]
    modes: Vec<String>,
    /// Only those that the tests in CI play
    #[arg(long)]
    ci: bool,
    /// End each by SIGABRT, and hold the verdicts on its core file against those on the living process
    #[arg(long)]
    core: bool,
    /// Keep the programs that were built
    #[arg(long)]
    keep: bool,
    /// The lastgasp that is tried (default: this one, built for release)
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let expect = Expect::load()?;
    let plays = chosen(&cli, &expect)?;
    let lastgasp = match &cli.bin {
        Some(path) => std::path::absolute(path)?,
        None => lastgasp()?,
    };
    let modes: Vec<Mode> =
        cli.modes.iter().map(|m| Mode::named(m).with_context(|| format!("no mode {m}"))).collect::<Result<_>>()?;
    let progress = Progress::start();
    let mut rows = Vec::new();
    for minor in &cli.go {
        let toolchain = find_or_fetch(*minor, &cache_dir())?;
        for mode in &modes {
            progress.set("building the programs", format!("{} {}", toolchain.version, mode.name()));
            let programs = Programs::build(&toolchain, *mode)?;
            for one in plays.iter().filter(|p| programs.has(&p.name)) {
                progress.set("playing", one.id());
                let row = match play(&lastgasp, &programs, one, cli.core) {
                    Ok(seen) => {
                        let way = expect.ways.get(&one.name);
                        let judgement = match way.filter(|_| !one.repaired) {
                            Some(way) => judge(way, &seen),
                            None => judge_healthy(&seen, way),
                        };
                        Row {
                            build: programs.name.clone(),
                            play: one.clone(),
                            judgement,
                            no_proof: seen.no_proof,
                            core_differs: seen.core_differs,
                            stopped_ns: seen.stopped_ns,
                        }
                    }
                    Err(e) => bail!("{} with {}: {e:#}", one.id(), programs.name),
                };
                progress.say(&line(&row));
                rows.push(row);
            }
            if !cli.keep {
                programs.delete()?;
            }
        }
    }
    let seconds = progress.elapsed().as_secs();
    drop(progress);
    let header = machine(&format!("lab/causes, {} plays, {seconds} s", rows.len()))?;
    let text = render(&header, &rows);
    println!("\n{text}");
    keep(&text, &rows, cli.names.is_empty() && !cli.ci && cli.go.len() == 9)?;
    let missed = Tally::of(&rows).misses();
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

fn chosen(cli: &Cli, expect: &Expect) -> Result<Vec<Play>> {
    let mut plays: Vec<Play> = expect
        .ways
        .iter()
        .filter(|(_, way)| way.ci || !cli.ci)
        .flat_map(|(name, _)| [false, true].map(|repaired| Play { name: name.clone(), repaired }))
        .collect();
    plays.extend(HEALTHY.map(|name| Play { name: name.to_owned(), repaired: true }));
    let is = |p: &Play, name: &String| p.name == *name || p.id() == *name;
    if let Some(unknown) = cli.names.iter().find(|n| !plays.iter().any(|p| is(p, n))) {
        bail!("no program {unknown}; there are {}", expect.ways.keys().cloned().collect::<Vec<_>>().join(", "));
    }
    plays.retain(|p| cli.names.is_empty() || cli.names.iter().any(|n| is(p, n)));
    Ok(plays)
}

/// Results of all plays are kept in the repository, those of some where nothing else is overwritten.
fn keep(text: &str, rows: &[Row], whole: bool) -> Result<()> {
    let folder = if whole { repo_root().join("benches/results") } else { cache_dir() };
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("causes.txt");
    std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    let mut mistakes = String::new();
    for row in rows {
        for m in &row.judgement.mistakes {
            mistakes += &serde_json::to_string(&(&row.build, row.play.id(), m))?;
            mistakes.push('\n');
        }
    }
    std::fs::write(folder.join("causes-mistakes.jsonl"), mistakes)?;
    println!("{}, and what was not right in causes-mistakes.jsonl beside it", file.display());
    Ok(())
}
