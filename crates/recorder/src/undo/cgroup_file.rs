//! A cgroup's files and folder, written, thawed and removed: what an act on a cgroup and its undo have in
//! common.

use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, Statfs, statfs};

/// Removes a cgroup's folder. The kernel refuses with EBUSY for a moment after its last process has ended.
pub(crate) fn remove_when_empty(dir: &Path) -> bool {
    for _ in 0..50 {
        match fs::remove_dir(dir) {
            Ok(()) => return true,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return true,
            Err(_) if fs::read_to_string(dir.join("cgroup.procs")).is_ok_and(|p| p.trim().is_empty()) => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Err(_) => return false,
        }
    }
    false
}

/// Whether a file is of a cgroup file system: nothing else is ever written or removed.
pub(crate) fn is_of_cgroup_fs(file: &Path) -> bool {
    statfs(file).is_ok_and(|s| is_cgroup(&s))
}

/// Whether that file system is one of cgroups.
pub(crate) fn is_cgroup(fs: &Statfs) -> bool {
    [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&fs.filesystem_type())
}

pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text).map_err(|e| with_path(file, &e))
}

pub(crate) fn with_path(file: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", file.display()))
}

/// Thaws a cgroup if it is frozen. Gives whether it was.
pub(crate) fn thaw(dir: &Path) -> bool {
    let file = dir.join("cgroup.freeze");
    fs::read_to_string(&file).is_ok_and(|t| t.trim() == "1") && write(&file, "0").is_ok()
}
