//! What chores share: lastgasp built for release, and the line that says on which machine a result was got.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::build::{cache_dir, repo_root};

/// How lastgasp is built.
#[derive(Clone, Copy, Debug)]
pub enum Profile {
    /// As it is shipped: what is measured.
    Release,
    /// The same, in less time: what is shown.
    Demo,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Demo => "demo",
        }
    }
}

/// `cargo` at the repository's root, as if nobody had called us by it: what `cargo run` sets of a package
/// (`CARGO_PKG_*`, `CARGO_MANIFEST_*`) is an input of ring's build script, and with it ring and all that
/// needs it were built anew.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
    command.current_dir(repo_root());
    command
}

/// Builds packages, hands each line that cargo says to `tell`, and gives the folder of their binaries.
///
/// # Errors
/// It does not build.
pub fn built_told(profile: Profile, packages: &[&str], tell: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let mut child = cargo()
        .args(["build", "--profile", profile.name()])
        .args(packages.iter().flat_map(|p| ["--package", p]))
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo")?;
    for line in BufReader::new(child.stderr.take().context("stderr")?).lines() {
        tell(&line?);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    Ok(cache_dir().parent().context("target folder")?.join(profile.name()))
}

/// Builds lastgasp for release and gives the binary's path; or the one that `LASTGASP_BIN` names, which is
/// how two builds are measured in turns.
///
/// # Errors
/// It does not build.
pub fn lastgasp() -> Result<PathBuf> {
    if let Some(other) = std::env::var_os("LASTGASP_BIN") {
        return Ok(other.into());
    }
    let folder =
        built_told(Profile::Release, &["lastgasp-cli"], &mut |line| drop(writeln!(std::io::stderr(), "{line}")))?;
    Ok(folder.join("lastgasp"))
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
