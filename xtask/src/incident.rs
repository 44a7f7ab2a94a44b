//! `cargo xtask incident`: lastgasp and the world that it is tried in are built, telling how far that is, and
//! the world's own program is called with the arguments.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use lastgasp_lab::machine::{Profile, built_told};
use lastgasp_lab::progress::Progress;

const BUILDING: &str = "building lastgasp and its world";

/// Builds what is needed, and has it done.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let has = |flag: &str| arguments.iter().any(|a| a == flag || a.starts_with(&format!("{flag}=")));
    // Who brings a lastgasp, or only has files read, waits for no other.
    let needs_lastgasp = !["--bin", "--check", "--help", "-h"].iter().any(|flag| has(flag));
    let packages: &[&str] = if needs_lastgasp { &["lastgasp-cluster", "lastgasp-cli"] } else { &["lastgasp-cluster"] };
    let progress = Progress::start();
    progress.set(BUILDING, "");
    let mut crates = 0;
    let folder = built_told(Profile::Demo, packages, &mut |line| {
        let line = line.trim();
        crates += usize::from(line.starts_with("Compiling"));
        if line.starts_with("error") || line.starts_with("warning") {
            progress.say(line);
        }
        progress.set(BUILDING, format!("{crates} crates begun, last: {line}"));
    })?;
    drop(progress);
    let mut command = Command::new(folder.join("lastgasp-cluster"));
    command.args(arguments);
    if needs_lastgasp {
        command.arg("--bin").arg(folder.join("lastgasp"));
    }
    let status = command.status().context("lastgasp-cluster")?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
