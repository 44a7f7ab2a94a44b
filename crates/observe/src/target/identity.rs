//! Who a process is: its service, container, cgroup, and when it started.

use lastgasp_inferior::clock_ticks;

use crate::kernel::cgroup::{Cgroup, Mounts};
use crate::kernel::container::home;

/// Who the target is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Process number.
    pub pid: i32,
    /// Name of the executable.
    pub service: String,
    /// Path of its memory cgroup.
    pub cgroup: String,
    /// Container id, if the cgroup's path holds one.
    pub container: Option<String>,
    /// When it started, seconds since 1970.
    pub started_unix: u64,
}

/// Who a process is.
#[must_use]
pub fn identity(pid: i32, mounts: &Mounts, start_ticks: u64) -> Identity {
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let name = exe.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let cgroup = Cgroup::of(pid, mounts).map(|c| c.path).unwrap_or_default();
    Identity {
        pid,
        // The kernel's note for an executable that was replaced by a deploy.
        service: name.trim_end_matches(" (deleted)").to_owned(),
        container: home(&cgroup).container,
        cgroup,
        started_unix: boot_time() + clock_ticks(start_ticks).as_secs(),
    }
}

fn boot_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|l| l.strip_prefix("btime ")?.trim().parse().ok()).unwrap_or(0)
}
