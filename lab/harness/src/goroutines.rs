//! `lab/programs/goroutines`, running: a Go program with goroutines in every state.

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
        build(toolchain, mode, &repo_root().join("lab/programs/goroutines"), ".")
    }

    /// Starts a binary that was built before; returns when it has written what it knows of itself.
    ///
    /// # Errors
    /// It ended early.
    pub fn start(binary: &Path, args: &[&str], godebug: &str) -> Result<Self> {
        Self::run(Command::new(binary), args, godebug)
    }

    /// As [`Goroutines::start`], in a PID namespace of its own, as in a container. Needs root.
    ///
    /// # Errors
    /// It ended early, or there is no `unshare`.
    pub fn start_in_namespace(binary: &Path, args: &[&str]) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]).arg(binary);
        Self::run(command, args, "")
    }

    fn run(mut command: Command, args: &[&str], godebug: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut child = command
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
            bail!("lab/programs/goroutines said {line:?}");
        }
        Ok(Self { child, dir })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Process number of its only child: of the program, if it was started through another.
    ///
    /// # Errors
    /// The system's error, or there is none.
    pub fn child_pid(&self) -> Result<i32> {
        let pid = self.pid();
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        text.split_whitespace().next().context("no child")?.parse().context("a process number")
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
