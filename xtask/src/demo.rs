//! `cargo xtask demo`: the main job on a fresh machine, with nothing but Rust and the package registries.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use lastgasp_lab::build::{Mode, cache_dir, incident_programs};
use lastgasp_lab::machine::{Profile, built_told};
use lastgasp_lab::progress::Progress;
use lastgasp_lab::toolchain;

/// Lines of cargo's that are passed on: one in so long, and all that are no news of progress.
const PACE: Duration = Duration::from_secs(2);

const LASTGASP: &str = "building lastgasp";
const INCIDENT: &str = "building the lab's incident";

/// Builds what is needed and has the incident played: ends with the verdict and the path of the report.
pub(crate) fn run() -> Result<()> {
    let progress = Progress::start();
    progress.say("building lastgasp, and the lab's incident beside it (fetching Go if it is missing) ...");
    // Side by side: the one computes, the other waits for the network first.
    let (built, incident) = std::thread::scope(|scope| {
        let other = scope.spawn(|| incident(&progress));
        (build(&progress), other.join().unwrap_or_else(|_| Err(anyhow!("a thread of the demo panicked"))))
    });
    let folder = built?;
    incident?;
    let passed = progress.elapsed().as_secs().to_string();
    drop(progress);
    let status = Command::new(folder.join("lastgasp-demo"))
        .arg(folder.join("lastgasp"))
        .arg(passed)
        .status()
        .context("lastgasp-demo")?;
    if !status.success() {
        bail!("the incident: {status}");
    }
    Ok(())
}

/// lastgasp itself, with all that it has, in a profile that builds faster than the one for release and runs
/// nearly as fast; and what plays the incident under it. Gives the folder of both.
fn build(progress: &Progress) -> Result<std::path::PathBuf> {
    progress.set(LASTGASP, "");
    let (mut crates, mut said) = (0, Instant::now());
    let built = built_told(Profile::Demo, &["lastgasp-cli", "lastgasp-demo"], &mut |line| {
        let line = line.trim();
        let is_news = ["Compiling", "Downloaded", "Downloading", "Fresh"].iter().any(|w| line.starts_with(w));
        crates += usize::from(line.starts_with("Compiling"));
        progress.set(LASTGASP, format!("{crates} crates begun, last: {line}"));
        if !is_news || said.elapsed() >= PACE {
            said = Instant::now();
            progress.say(line);
        }
    });
    progress.done(LASTGASP, "lastgasp is built");
    built
}

/// A toolchain, and the incident's programs built with it: whoever plays finds them.
fn incident(progress: &Progress) -> Result<()> {
    progress.set(INCIDENT, "finding or fetching Go");
    let toolchain = toolchain::any(&cache_dir()).context("a Go toolchain")?;
    progress.set(INCIDENT, format!("with {}", toolchain.version));
    incident_programs(&toolchain, Mode::Stripped)?;
    progress.done(INCIDENT, &format!("the incident is built with {}", toolchain.version));
    Ok(())
}
