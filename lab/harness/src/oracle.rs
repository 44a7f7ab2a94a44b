//! `lab/oracle`, running: a Go program that knows its own numbers and stands still.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::build::{Mode, build, repo_root};
use crate::toolchain::Toolchain;

/// The program; ended when dropped.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    dir: TempDir,
}

impl Oracle {
    /// Builds and starts it; returns when it stands still.
    ///
    /// # Errors
    /// It could not be built, or ended early.
    pub fn start(toolchain: &Toolchain, mode: Mode) -> Result<Self> {
        Self::start_binary(&Self::build(toolchain, mode)?)
    }

    /// Builds it.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(toolchain: &Toolchain, mode: Mode) -> Result<PathBuf> {
        build(toolchain, mode, &repo_root().join("lab/oracle"), ".")
    }

    /// Starts a binary that was built before.
    ///
    /// # Errors
    /// It ended early.
    pub fn start_binary(binary: &std::path::Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("truth.json");
        let mut child = Command::new(binary).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        if !line.starts_with("READY") {
            child.kill()?;
            child.wait()?;
            bail!("the oracle said {line:?}");
        }
        Ok(Self { child, dir })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// What it says of itself, as JSON.
    ///
    /// # Errors
    /// The system's error.
    pub fn truth(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.dir.path().join("truth.json"))?)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
