//! Who a process is: its service, container, cgroup, and when it started.

use std::fmt;

use lastgasp_inferior::clock_ticks;

use crate::kernel::cgroup::{Cgroup, Mounts};
use crate::kernel::container::{self, Home};

/// Source of container and pod identities: who else knows where a process runs than the process itself. Asked
/// by threads that may wait and by the supervisor, which may not: an answer comes at once, from what has been
/// learnt before.
pub trait IdentitySource: fmt::Debug + Send + Sync {
    /// Where a process runs, by its number and the path of its memory cgroup as last seen.
    fn home(&self, pid: i32, cgroup: &str) -> Home;
}

/// Identities by the path of the process's cgroup, as container runtimes write it: needs nobody's answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct CgroupPath;

impl IdentitySource for CgroupPath {
    fn home(&self, _pid: i32, cgroup: &str) -> Home {
        container::home(cgroup)
    }
}

/// Who the target is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Process number.
    pub pid: i32,
    /// Name of the executable.
    pub service: String,
    /// Path of its memory cgroup.
    pub cgroup: String,
    /// Container id, if it is in one.
    pub container: Option<String>,
    /// When it started, seconds since 1970.
    pub started_unix: u64,
}

/// Who a process is; of its container what its cgroup's path tells.
#[must_use]
pub fn identity(pid: i32, mounts: &Mounts, start_ticks: u64) -> Identity {
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let name = exe.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let cgroup = Cgroup::of(pid, mounts).map(|c| c.path).unwrap_or_default();
    Identity {
        pid,
        // The kernel's note for an executable that was replaced by a deploy.
        service: name.trim_end_matches(" (deleted)").to_owned(),
        container: CgroupPath.home(pid, &cgroup).container,
        cgroup,
        started_unix: boot_time() + clock_ticks(start_ticks).as_secs(),
    }
}

fn boot_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|l| l.strip_prefix("btime ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_cgroup_is_the_identity() {
        let id = "3f2d7c0a9be1445566778899aabbccddeeff00112233445566778899aabbccdd";
        let home = CgroupPath.home(1, &format!("/docker/{id}"));
        assert_eq!((home.container.as_deref(), home.runtime), (Some(id), Some("docker")));
        assert_eq!(CgroupPath.home(1, "/"), Home::default());
    }
}
