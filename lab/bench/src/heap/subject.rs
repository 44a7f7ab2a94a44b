//! `lab/programs/mixed`, alive, then its core.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// The program, in a folder of its own.
pub(super) struct Subject {
    child: Child,
    dir: TempDir,
    /// What the runtime counts after its last collection.
    pub(super) bytes: u64,
    pub(super) objects: u64,
}

impl Subject {
    pub(super) fn start(program: &Path, bytes: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -c unlimited; exec \"$0\" -bytes \"$1\""])
            .arg(program)
            .arg(bytes.to_string())
            .env("GOTRACEBACK", "crash")
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("stderr"))?)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        let words: Vec<u64> = line.split_whitespace().skip(1).filter_map(|w| w.parse().ok()).collect();
        let [bytes, objects, ..] = words[..] else {
            let _ = child.kill();
            bail!("lab/programs/mixed said {line:?}");
        };
        Ok(Self { child, dir, bytes, objects })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; its core.
    pub(super) fn core(&mut self) -> Result<PathBuf> {
        Command::new("kill").args(["-ABRT", &self.pid().to_string()]).status()?;
        // `wait` would close its input, upon which it ends of its own accord.
        let input = self.child.stdin.take();
        let status = self.child.wait()?;
        drop(input);
        let mut entries = fs::read_dir(self.dir.path())?.flatten().map(|e| e.path());
        let core = entries.find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("core")));
        core.with_context(|| format!("no core file ({status}): core_pattern says where the kernel puts them"))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
