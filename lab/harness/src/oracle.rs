//! `lab/oracle`, running: a Go program that knows its own numbers and stands still.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::build::{Mode, build, cache_dir, repo_root};
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
        let built = Self::build(toolchain, mode)?;
        if mode == Mode::CShared {
            Self::start_command(Command::new(host()?).arg(built))
        } else {
            Self::start_binary(&built)
        }
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
    pub fn start_binary(binary: &Path) -> Result<Self> {
        Self::start_command(&mut Command::new(binary))
    }

    fn start_command(command: &mut Command) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("truth.json");
        let mut child = command.arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        if !line.starts_with("READY") {
            child.kill()?;
            bail!("the oracle said {line:?} and ended: {}", child.wait()?);
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

    /// Its `runtime.MemStats`, as JSON.
    ///
    /// # Errors
    /// The system's error.
    pub fn mem_stats(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.dir.path().join("truth.json.stats"))?)
    }
}

/// The C program that loads the oracle as a library, compiled.
fn host() -> Result<PathBuf> {
    let out = cache_dir().join("bin/oracle-host");
    std::fs::create_dir_all(cache_dir().join("bin"))?;
    // Tests run side by side: each compiles under a name of its own and puts it into place whole.
    let own = out.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
    let mut cc = Command::new("cc");
    cc.arg("-O1").arg("-o").arg(&own).arg(repo_root().join("lab/oracle/host/host.c")).arg("-ldl");
    let result = cc.output().context("cc: a C compiler and C library headers are needed (packages gcc, libc6-dev)")?;
    if !result.status.success() {
        bail!("cc: {}", String::from_utf8_lossy(&result.stderr));
    }
    std::fs::rename(&own, &out)?;
    Ok(out)
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
