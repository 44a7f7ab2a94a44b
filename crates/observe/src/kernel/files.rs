//! The kernel's small text files, read without allocation but the text, and the kernel's release.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::sys::resource::{Resource, getrlimit};

/// The file's text from its beginning, at most `N` bytes of it; no allocation but the text.
pub fn read_text<const N: usize>(file: &File) -> Option<String> {
    let mut buffer = [0; N];
    let n = file.read_at(&mut buffer, 0).ok()?;
    Some(String::from_utf8_lossy(buffer.get(..n)?).into_owned())
}

/// Files of groups that this process holds open, by path: those who are watched in one group share them.
static SHARED: Mutex<BTreeMap<PathBuf, Weak<File>>> = Mutex::new(BTreeMap::new());

/// A file of a group, opened once for all who want it. One of a group that is gone tells nothing, and the
/// next group of that name has a file of its own.
///
/// # Errors
/// The system's error.
pub(crate) fn open_shared(path: &Path) -> io::Result<Arc<File>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let open = shared.get(path).and_then(Weak::upgrade);
    if let Some(file) = open.filter(|file| file.read_at(&mut [0; 1], 0).is_ok_and(|n| n > 0)) {
        return Ok(file);
    }
    let file = Arc::new(File::open(path)?);
    // Those that nobody has any more go before they are many.
    if shared.len() >= 64 && shared.len().is_power_of_two() {
        shared.retain(|_, file| file.strong_count() > 0);
    }
    shared.insert(path.to_owned(), Arc::downgrade(&file));
    Ok(file)
}

/// Descriptors that are left for those in danger, as a part of the limit, and at most: who is new is watched
/// when others have ended, and who is watched is struck.
const LEFT_FOR_DANGER: (u64, u64) = (8, 64);

/// Whether this process can open nothing now, or nothing but what it keeps for those in danger: `EMFILE`,
/// `ENFILE`. What is not seen then is not absent.
#[must_use]
pub fn is_out_of_descriptors() -> bool {
    match File::open("/dev/null") {
        Err(e) => means_out_of_descriptors(&e),
        // The kernel gives the lowest number that is free: all below it are in use.
        Ok(next) => {
            let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
            let (part, most) = LEFT_FOR_DANGER;
            u64::from(next.as_raw_fd().unsigned_abs()) + (limit / part).min(most) >= limit
        }
    }
}

/// Whether that is why something could not be opened.
#[must_use]
pub fn means_out_of_descriptors(e: &std::io::Error) -> bool {
    use nix::errno::Errno::{EMFILE, ENFILE};
    e.raw_os_error().is_some_and(|e| e == EMFILE as i32 || e == ENFILE as i32)
}

/// A number from a file that holds nothing else, as cgroup files do; `None` for `max` and for what is gone.
pub(crate) fn read_number(file: &File) -> Option<u64> {
    let mut buffer = [0; 32];
    let n = file.read_at(&mut buffer, 0).ok()?;
    std::str::from_utf8(buffer.get(..n)?).ok()?.trim().parse().ok()
}

/// Major and minor number of a kernel's release.
#[must_use]
pub fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The kernel's release, as `uname -r` says it.
#[must_use]
pub fn release() -> String {
    nix::sys::utsname::uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// A file, in the state that it was seen in: device, inode, size, change and modification to the nanosecond.
/// Devices and inodes are used again, times are not.
pub type FileKey = ((u32, u32), u64, u64, [i64; 4]);

/// What tells a file from all others, by its path, links followed. Its storage is not asked, which may not
/// answer: what the kernel knows by itself is told.
///
/// # Errors
/// The system's error: there is none, or it may not be looked at.
pub fn file_key(path: &str) -> std::io::Result<FileKey> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let meta = statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::BASIC_STATS)?;
    let time = |t: rustix::fs::StatxTimestamp| [t.tv_sec, i64::from(t.tv_nsec)];
    let [[m, mn], [c, cn]] = [time(meta.stx_mtime), time(meta.stx_ctime)];
    Ok(((meta.stx_dev_major, meta.stx_dev_minor), meta.stx_ino, meta.stx_size, [m, mn, c, cn]))
}
