//! A memory cgroup for a program under observation, as a container's: version 1 (with the freezer of the
//! unified hierarchy, if that is mounted beside it) or 2.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A group; removed when dropped.
#[derive(Debug)]
pub struct Group {
    memory: PathBuf,
    freezer: Option<PathBuf>,
    v2: bool,
    limit: u64,
}

/// Where a group of ours can be made.
#[derive(Debug)]
pub struct Place {
    /// Its folder for memory, which is not made yet.
    pub memory: PathBuf,
    /// On version 1 its folder in the unified hierarchy, made, if that is mounted beside it.
    pub beside: Option<PathBuf>,
    /// Whether it is of version 2.
    pub v2: bool,
}

impl Place {
    /// Below ours, or on version 2 below the nearest one above that hands the memory controller down.
    ///
    /// # Errors
    /// No memory controller is mounted.
    pub fn below_ours(name: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let find = |wanted: &dyn Fn(&str, &str) -> bool| {
            mounts.lines().find_map(|l| {
                let f: Vec<&str> = l.split(' ').collect();
                wanted(f.get(2)?, f.get(3)?).then(|| PathBuf::from(f[1]))
            })
        };
        let v1 = find(&|kind, options| kind == "cgroup" && options.split(',').any(|o| o == "memory"));
        let unified = find(&|kind, _| kind == "cgroup2");
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let below = |root: &Path, memory: bool| {
            let path = own.lines().find_map(|l| {
                let (controllers, path) = l.split_once(':')?.1.split_once(':')?;
                let hit = if memory { controllers.split(',').any(|c| c == "memory") } else { controllers.is_empty() };
                hit.then(|| path.trim_start_matches('/').to_owned())
            });
            root.join(path.unwrap_or_default())
        };
        let place = match (v1, unified) {
            (Some(v1), unified) => {
                let beside = unified.map(|u| below(&u, false).join(name)).filter(|d| fs::create_dir(d).is_ok());
                Self { memory: below(&v1, true).join(name), beside, v2: false }
            }
            (None, Some(unified)) => {
                let own = below(&unified, false);
                let hands_down = |d: &&Path| {
                    d.starts_with(&unified)
                        && fs::read_to_string(d.join("cgroup.subtree_control")).is_ok_and(|t| t.contains("memory"))
                };
                let parent = own.ancestors().find(hands_down).context("no group above hands memory down")?;
                Self { memory: parent.join(name), beside: None, v2: true }
            }
            (None, None) => bail!("no memory cgroup controller is mounted"),
        };
        Ok(place)
    }
}

impl Group {
    /// Makes the group `name` below ours, or on version 2 below the nearest one above that hands the memory
    /// controller down; `limit` in bytes.
    ///
    /// # Errors
    /// No memory controller is mounted, or we may not make groups.
    pub fn create(name: &str, limit: u64) -> Result<Self> {
        let Place { memory, beside, v2 } = Place::below_ours(name)?;
        let freezer = if v2 { Some(memory.clone()) } else { beside };
        let group = Self { memory, freezer, v2, limit };
        fs::create_dir(&group.memory).with_context(|| group.memory.display().to_string())?;
        fs::write(group.memory.join(group.name("memory.limit_in_bytes", "memory.max")), limit.to_string())?;
        // With swap it would not be killed at its limit; absent where swap is not accounted for.
        let swap = group.memory.join(group.name("memory.memsw.limit_in_bytes", "memory.swap.max"));
        let _ = fs::write(swap, if group.v2 { "0".to_owned() } else { limit.to_string() });
        Ok(group)
    }

    /// Folders that a member has to enter.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        let freezer = self.freezer.as_deref().filter(|d| *d != self.memory);
        std::iter::once(self.memory.as_path()).chain(freezer)
    }

    /// What is not as it was made: another limit, a throttle, kills switched off, frozen. Empty if nobody has
    /// touched it, or if it is right again.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        let read = |dir: &Path, file: &str| fs::read_to_string(dir.join(file)).unwrap_or_default().trim().to_owned();
        let mut found = Vec::new();
        let limit = read(&self.memory, self.name("memory.limit_in_bytes", "memory.max"));
        if limit != self.limit.to_string() {
            found.push(format!("its limit was {} and is {limit:?}", self.limit));
        }
        if self.v2 {
            let high = read(&self.memory, "memory.high");
            if high != "max" {
                found.push(format!("its memory.high is {high:?}"));
            }
        } else if !read(&self.memory, "memory.oom_control").contains("oom_kill_disable 0") {
            found.push("its OOM killer is switched off".into());
        }
        if let Some(freezer) = &self.freezer
            && read(freezer, "cgroup.freeze") != "0"
        {
            found.push("it is frozen".into());
        }
        found
    }

    /// Removes it; gives whether it is gone. The kernel refuses for a moment after its last process has
    /// ended.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.dirs().all(|dir| {
            (0..100).any(|_| {
                let gone = fs::remove_dir(dir).is_ok() || !dir.exists();
                if !gone {
                    std::thread::sleep(Duration::from_millis(10));
                }
                gone
            })
        })
    }

    fn name(&self, v1: &'static str, v2: &'static str) -> &'static str {
        if self.v2 { v2 } else { v1 }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}
