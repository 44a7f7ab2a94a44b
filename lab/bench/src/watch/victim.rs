//! Go programs to be watched: built, copied under a name of their own, started in a cgroup of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lastgasp_lab::build::{Mode, build, repo_root};
use lastgasp_lab::group::Group;
use lastgasp_lab::toolchain::Toolchain;
use tempfile::TempDir;

use super::daemon::stage;

/// Programs of the lab under one name, so that nobody else's are watched by the daemon under test.
pub(super) struct Programs {
    pub(super) service: String,
    folder: TempDir,
    built: BTreeMap<String, PathBuf>,
}

impl Programs {
    pub(super) fn new(service: &str) -> Result<Self> {
        let service = format!("{service}-{}", std::process::id());
        Ok(Self { service, folder: stage()?, built: BTreeMap::new() })
    }

    /// Builds `lab/programs/NAME` and gives where the copy stands.
    pub(super) fn add(&mut self, toolchain: &Toolchain, mode: Mode, name: &str) -> Result<PathBuf> {
        let key = format!("{name}-{}-{}", toolchain.name(), mode.name());
        if let Some(path) = self.built.get(&key) {
            return Ok(path.clone());
        }
        let built = build(toolchain, mode, &repo_root().join("lab/programs").join(name), ".")?;
        let dir = self.folder.path().join(&key);
        fs::create_dir(&dir)?;
        let path = dir.join(&self.service);
        fs::copy(built, &path)?;
        self.built.insert(key, path.clone());
        Ok(path)
    }
}

/// A program in a group of its own.
pub(super) struct Victim {
    pub(super) group: Group,
    pub(super) child: Child,
}

impl Victim {
    /// Starts it. `number` tells it from others of this run; `limit` in bytes.
    pub(super) fn start(lastgasp: &Path, program: &Path, number: usize, limit: u64, args: &[String]) -> Result<Self> {
        let group = Group::create(&format!("lastgasp-bench-{}-{number}", std::process::id()), limit)?;
        let mut enter = Command::new(lastgasp);
        enter.arg("enter");
        for dir in group.dirs() {
            enter.arg("--cgroup").arg(dir);
        }
        enter.arg("--").arg(program).args(args);
        // Its input stays open as long as we live: lab/programs/idle and lab/programs/churn end with it.
        let child = enter.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self { group, child: child.context("starting a program")? })
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits for its end so long; then it is killed by us, and `None`.
    pub(super) fn wait(&mut self, at_most: Duration) -> Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() > at_most {
                self.end();
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Removes its group when it has ended; gives whether it is gone.
    pub(super) fn remove_group(&self) -> bool {
        self.group.remove()
    }

    /// Kills it.
    pub(super) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.end();
    }
}
