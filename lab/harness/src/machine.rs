//! What chores share: lastgasp built for release, and the line that says on which machine a result was got.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::build::{cache_dir, repo_root};

/// Builds lastgasp for release and gives the binary's path.
///
/// # Errors
/// It does not build.
pub fn lastgasp() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(repo_root())
        .args(["build", "--release", "--package", "lastgasp-cli"])
        .status()?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    Ok(cache_dir().parent().context("target folder")?.join("release/lastgasp"))
}

/// First line of a file of results: what was run, and on which machine.
///
/// # Errors
/// No git.
pub fn machine(what: &str) -> Result<String> {
    let read = |p: &str| std::fs::read_to_string(p).unwrap_or_default().trim().to_owned();
    let revision =
        Command::new("git").current_dir(repo_root()).args(["rev-parse", "--short", "HEAD"]).output().context("git")?;
    let cgroup = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "v2" } else { "v1" };
    Ok(format!(
        "{what}; kernel {}, cgroup {cgroup}, {} cores; on top of {}\n",
        read("/proc/sys/kernel/osrelease"),
        std::thread::available_parallelism()?,
        String::from_utf8_lossy(&revision.stdout).trim()
    ))
}
