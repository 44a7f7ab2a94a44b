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

/// Builds packages, hands each line that cargo says to `tell`, and gives the folder of their binaries.
///
/// # Errors
/// It does not build.
pub fn built_told(profile: Profile, packages: &[&str], tell: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .current_dir(repo_root())
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

/// Builds lastgasp for release and gives the binary's path.
///
/// # Errors
/// It does not build.
pub fn lastgasp() -> Result<PathBuf> {
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
