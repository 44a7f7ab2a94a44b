//! The groups of a world: one tree of memory cgroups below ours, version 1 (with the unified hierarchy beside
//! it, for the freezer) or 2. Whatever runs in the world is in it, so that all of it can be found and ended
//! by nothing but the tree's path.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::group::Place;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    memory: PathBuf,
    /// The same path in the unified hierarchy, where version 1 has the memory.
    beside: Option<PathBuf>,
    v2: bool,
}

/// A group of it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    memory: PathBuf,
    beside: Option<PathBuf>,
    v2: bool,
}

/// Longest that the end of all processes is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl Tree {
    /// Makes it.
    ///
    /// # Errors
    /// No memory controller is mounted, or we may not make groups.
    pub(super) fn create(name: &str) -> Result<Self> {
        let Place { memory, beside, v2 } = Place::below_ours(name)?;
        let tree = Self { memory, beside, v2 };
        fs::create_dir(&tree.memory)
            .with_context(|| format!("{}: to make cgroups one must be root", tree.memory.display()))?;
        tree.hand_down(&tree.memory)?;
        Ok(tree)
    }

    /// Its folders.
    #[must_use]
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        std::iter::once(self.memory.clone()).chain(self.beside.clone()).collect()
    }

    /// Version 2 wants to be told that groups below have the memory controller too.
    fn hand_down(&self, folder: &Path) -> Result<()> {
        if self.v2 {
            fs::write(folder.join("cgroup.subtree_control"), "+memory")
                .with_context(|| folder.display().to_string())?;
        }
        Ok(())
    }

    /// A group that others will be made below: `node`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn inner(&self, path: &str, limit: Option<u64>) -> Result<Group> {
        let group = self.group(path, limit)?;
        self.hand_down(&group.memory)?;
        Ok(group)
    }

    /// A group with its limit in bytes, if it has one.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn group(&self, path: &str, limit: Option<u64>) -> Result<Group> {
        let beside = self.beside.as_ref().map(|b| b.join(path)).filter(|d| fs::create_dir_all(d).is_ok());
        let group = Group { memory: self.memory.join(path), beside, v2: self.v2 };
        fs::create_dir(&group.memory).with_context(|| group.memory.display().to_string())?;
        if let Some(limit) = limit {
            group.set_limit(limit)?;
        }
        Ok(group)
    }

    /// Ends everything in it, and removes it. Gives what is left.
    ///
    /// # Errors
    /// Something cannot be ended, or a group not removed.
    pub(super) fn clear(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut folders = Vec::new();
            for root in self.folders() {
                below(&root, 0, &mut folders);
            }
            let mut alive = 0;
            for folder in &folders {
                // A stopped one does not die.
                let _ = fs::write(folder.join("cgroup.freeze"), "0");
                for pid in processes(folder) {
                    alive += 1;
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            if alive == 0 {
                // The deepest first.
                folders.sort_by_key(|f| std::cmp::Reverse(f.components().count()));
                if folders.iter().filter(|f| f.exists()).all(|f| fs::remove_dir(f).is_ok()) {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                bail!("{} processes or groups are left below {}", alive.max(1), self.memory.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A folder and all below it.
fn below(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) {
    if depth > 8 || !folder.exists() {
        return;
    }
    into.push(folder.to_owned());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            below(&entry.path(), depth + 1, into);
        }
    }
}

fn processes(folder: &Path) -> Vec<i32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|l| l.parse().ok()).filter(|pid| *pid > 1).collect()
}

impl Group {
    /// Folders that a member has to enter.
    pub(super) fn dirs(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.memory.as_path()).chain(self.beside.as_deref())
    }

    /// Sets its limit. Version 1 refuses one below what cannot be given back.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn set_limit(&self, bytes: u64) -> Result<()> {
        let write = |file: &str, text: &str| fs::write(self.memory.join(file), text);
        if self.v2 {
            write("memory.max", &bytes.to_string())?;
            let _ = write("memory.swap.max", "0");
            return Ok(());
        }
        // Of the two limits of version 1 (with swap and without) the larger one has to move first when they
        // grow, the other when they shrink.
        let memsw = write("memory.memsw.limit_in_bytes", &bytes.to_string());
        write("memory.limit_in_bytes", &bytes.to_string())
            .with_context(|| format!("a limit of {bytes} bytes for {}", self.memory.display()))?;
        if memsw.is_err() {
            let _ = write("memory.memsw.limit_in_bytes", &bytes.to_string());
        }
        Ok(())
    }

    /// Kills for memory that the kernel counted in it.
    #[must_use]
    pub(super) fn oom_kills(&self) -> u64 {
        let file = if self.v2 { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.memory.join(file)).unwrap_or_default();
        text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// Bytes in use.
    #[must_use]
    pub(super) fn usage(&self) -> u64 {
        let file = if self.v2 { "memory.current" } else { "memory.usage_in_bytes" };
        fs::read_to_string(self.memory.join(file)).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
    }

    /// Most bytes that were in use.
    #[must_use]
    pub(super) fn peak(&self) -> u64 {
        let file = if self.v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        fs::read_to_string(self.memory.join(file)).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
    }
}
