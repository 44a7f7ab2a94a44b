//! Memory cgroups of our own: made beside our group, with a limit, removed when they are empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lastgasp_observe::kernel::cgroup::{Cgroup, Mounts};

use crate::undo::cgroup_file::{remove_when_empty, with_path, write};

/// A group that we made; see [`crate::undo::journal`] for how it is removed when we cannot.
#[derive(Debug)]
pub struct OwnCgroup {
    /// The group.
    pub cgroup: Cgroup,
    dirs: Vec<PathBuf>,
}

impl OwnCgroup {
    /// Makes a group `name` below our own (v1) or below the nearest group that hands the memory controller
    /// down (v2), and sets the limit.
    ///
    /// # Errors
    /// The system's error, with the file in its text. Nothing is left behind. On v2 also a limit of ours that
    /// does not hold for the new group.
    pub fn create(mounts: &Mounts, name: &str, limit: Option<u64>) -> io::Result<Self> {
        let own = Self::beside(mounts)?;
        let parent = parent_of_new(&own)?;
        if own.v2 {
            none_is_left_behind(&own, &parent)?;
        }
        Self::below(own, &parent, mounts, name, limit)
    }

    /// Makes a group for one process that will be dead in seconds: with the limit `limit` it matters nothing
    /// which other limits of ours do not hold for it. A systemd unit always has one (`TasksMax`), and beside
    /// it no group could be made for anything (`case_systemd` of lab/vm).
    ///
    /// # Errors
    /// The system's error, with the file in its text. Nothing is left behind.
    pub(crate) fn create_for_a_moment(mounts: &Mounts, name: &str, limit: u64) -> io::Result<Self> {
        let own = Self::beside(mounts)?;
        let parent = parent_of_new(&own)?;
        Self::below(own, &parent, mounts, name, Some(limit))
    }

    fn below(own: Cgroup, parent: &Path, mounts: &Mounts, name: &str, limit: Option<u64>) -> io::Result<Self> {
        let limit = limit.into_iter().chain(if own.v2 { own.limit_below(parent) } else { None }).min();
        let memory = parent.join(name);
        let mut cgroup = own;
        cgroup.memory.clone_from(&memory);
        cgroup.freezer = None;
        let mut made = Self { cgroup, dirs: Vec::new() };
        made.make(&memory)?;
        if made.cgroup.v2 {
            made.cgroup.freezer = Some(memory.clone());
        } else if let Some(dir) = freezer_of_new(mounts, name) {
            // Without it the target is stopped by ptrace instead.
            if made.make(&dir).is_ok() {
                made.cgroup.freezer = Some(dir);
            }
        }
        made.cgroup.path = format!("/{}", memory.strip_prefix(made.cgroup.root()).unwrap_or(&memory).display());
        if let Some(limit) = limit {
            write(&made.cgroup.limit_file(), &limit.to_string())?;
            // With swap a limit would push the evidence out instead of ending the process; absent where swap
            // accounting is off.
            let _ =
                write(&made.cgroup.swap_limit_file(), &if made.cgroup.v2 { "0".to_owned() } else { limit.to_string() });
        }
        Ok(made)
    }

    /// The folders that [`OwnCgroup::create_for_a_moment`] is about to make: for whoever removes them should
    /// we be killed in between.
    ///
    /// # Errors
    /// The system's error: there is no place for a group.
    pub(crate) fn planned(mounts: &Mounts, name: &str) -> io::Result<Vec<PathBuf>> {
        let own = Self::beside(mounts)?;
        let freezer = if own.v2 { None } else { freezer_of_new(mounts, name) };
        Ok([parent_of_new(&own)?.join(name)].into_iter().chain(freezer).collect())
    }

    /// Our own group.
    fn beside(mounts: &Mounts) -> io::Result<Cgroup> {
        Cgroup::of(std::process::id() as i32, mounts)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no memory cgroup controller is mounted"))
    }

    /// All folders that were made.
    #[must_use]
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    fn make(&mut self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir).map_err(|e| with_path(dir, &e))?;
        self.dirs.push(dir.to_owned());
        Ok(())
    }
}

impl OwnCgroup {
    /// Removes the folders; gives whether all are gone. Those that still hold processes stay.
    #[must_use]
    pub fn remove(mut self) -> bool {
        let dirs = std::mem::take(&mut self.dirs);
        // Every one is tried, also behind one that stays.
        dirs.iter().rev().filter(|d| !remove_when_empty(d)).count() == 0
    }
}

impl Drop for OwnCgroup {
    /// For errors on the way: nothing is left behind.
    fn drop(&mut self) {
        for dir in self.dirs.iter().rev() {
            remove_when_empty(dir);
        }
    }
}

/// Where a new group is made.
fn parent_of_new(own: &Cgroup) -> io::Result<PathBuf> {
    if own.v2 { v2_parent(own) } else { Ok(own.memory.clone()) }
}

/// The freezer's folder of a new group whose memory is of version 1: below our own group of version 2.
fn freezer_of_new(mounts: &Mounts, name: &str) -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = text.lines().find_map(|l| l.strip_prefix("0::/")).unwrap_or_default();
    Some(mounts.unified.as_ref()?.join(own).join(name))
}

/// The nearest group at or above ours whose children have the memory controller. On v2 a group that holds
/// processes cannot hand controllers down, so this is mostly a group above ours, and ours stands beside the
/// new one. Controllers are not switched on for this: that would change other people's groups.
fn v2_parent(own: &Cgroup) -> io::Result<PathBuf> {
    let hands_down = |d: &Path| {
        fs::read_to_string(d.join("cgroup.subtree_control")).is_ok_and(|t| t.split_whitespace().any(|c| c == "memory"))
    };
    own.above().find(|d| hands_down(d)).map(Path::to_owned).ok_or_else(|| {
        io::Error::new(io::ErrorKind::PermissionDenied, "no cgroup above ours hands down the memory controller")
    })
}

/// Limits of our groups below `parent` do not hold for a new one there. Memory's is taken along; for a
/// service any other is a reason to make no group.
fn none_is_left_behind(own: &Cgroup, parent: &Path) -> io::Result<()> {
    for dir in own.above().take_while(|d| *d != parent) {
        for file in ["cpu.max", "pids.max", "memory.high"] {
            if fs::read_to_string(dir.join(file)).is_ok_and(|t| !t.trim().is_empty() && !t.starts_with("max")) {
                let why = format!("a group beside {} would leave its {file} behind", dir.display());
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
        }
    }
    Ok(())
}

/// Puts the calling process into the groups at `dirs`.
///
/// # Errors
/// The system's error, with the file in its text.
pub fn enter(dirs: &[PathBuf]) -> io::Result<()> {
    dirs.iter().try_for_each(|d| write(&d.join("cgroup.procs"), "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_is_what_is_made() {
        let (mounts, name) = (Mounts::detect(), format!("lastgasp-planned-{}", std::process::id()));
        let planned = OwnCgroup::planned(&mounts, &name);
        match OwnCgroup::create(&mounts, &name, None) {
            Ok(group) => {
                let planned = planned.unwrap();
                assert!(group.dirs().iter().all(|d| planned.contains(d)), "{planned:?}, {:?}", group.dirs());
                assert!(group.remove());
            }
            Err(e) => println!("SKIPPED: {e}"),
        }
    }
}
