//! `lab/goroutines`, running: a Go program with goroutines in every state.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::build::{Mode, build, repo_root};
use crate::toolchain::Toolchain;

/// The program; ended when dropped.
#[derive(Debug)]
pub struct Goroutines {
    child: Child,
    dir: TempDir,
}

impl Goroutines {
    /// Builds it.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(toolchain: &Toolchain, mode: Mode) -> Result<PathBuf> {
        build(toolchain, mode, &repo_root().join("lab/goroutines"), ".")
    }

    /// Starts a binary that was built before; returns when it has written what it knows of itself.
    ///
    /// # Errors
    /// It ended early.
    pub fn start(binary: &Path, args: &[&str], godebug: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut child = Command::new(binary)
            .args(args)
            .arg(dir.path())
            .env("GODEBUG", godebug)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        if !line.starts_with("READY") {
            child.kill()?;
            child.wait()?;
            bail!("lab/goroutines said {line:?}");
        }
        Ok(Self { child, dir })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// A file of what it says of itself: `stacks.txt`, `goroutine.txt`, `goroutine.pb.gz`.
    ///
    /// # Errors
    /// The system's error.
    pub fn truth(&self, file: &str) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.path(file))?)
    }

    /// Where such a file stands.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }
}

impl Drop for Goroutines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
