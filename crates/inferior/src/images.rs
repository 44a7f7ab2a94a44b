//! The files with code that a process has mapped, beside its executable: a runtime may live in a library that
//! a program of another language loads.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};
use serde::{Deserialize, Serialize};

use crate::addr::AddrRange;
use crate::arch::page_size;
use crate::elf::ElfImage;
use crate::mapping::parse_maps;
use crate::proc_text::bounded_text;

/// Most files of one process that are looked at.
const MAX_FILES: usize = 1024;

/// Most mappings of one file that are kept: a loader makes some six, in the file's order.
const MAX_PARTS: usize = 16;

/// A file that a process has mapped, code and all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedFile {
    pid: i32,
    /// Path, as the process sees it.
    pub path: String,
    /// Of its file system: major and minor number.
    device: (u64, u64),
    inode: u64,
    /// Its mappings with their offsets in the file, by address.
    parts: Vec<(AddrRange, u64)>,
}

/// Files of which `pid` has code mapped, by path. None where its map may not be read.
#[must_use]
pub fn mapped_files(pid: i32) -> Vec<MappedFile> {
    try_mapped_files(pid).unwrap_or_default()
}

/// As [`mapped_files`].
///
/// # Errors
/// The system's error: its map may not be read, or nothing can be opened.
pub fn try_mapped_files(pid: i32) -> io::Result<Vec<MappedFile>> {
    let text = File::open(format!("/proc/{pid}/maps")).and_then(bounded_text)?;
    let maps = text.lines().flat_map(|line| parse_maps(line).into_iter().zip(device(line)));
    let mut files = BTreeMap::new();
    for (m, device) in maps.filter(|(m, _)| m.inode != 0 && m.path.starts_with('/')) {
        if files.len() >= MAX_FILES {
            break;
        }
        let (code, file) = files.entry((m.path.clone(), device, m.inode)).or_insert_with(|| {
            (false, MappedFile { pid, path: m.path.clone(), device, inode: m.inode, parts: Vec::new() })
        });
        *code |= m.executable;
        if file.parts.len() < MAX_PARTS {
            file.parts.push((m.range, m.offset));
        }
    }
    Ok(files.into_values().filter(|(code, _)| *code).map(|(_, f)| f).collect())
}

/// The device in a line of `/proc/PID/maps`, the fourth word: `fe:01`.
fn device(line: &str) -> Option<(u64, u64)> {
    let (major, minor) = line.split(' ').nth(3)?.split_once(':')?;
    Some((u64::from_str_radix(major, 16).ok()?, u64::from_str_radix(minor, 16).ok()?))
}

/// Opens what stands at `path` if it is a plain file: it is looked at before it is opened, so that a FIFO of
/// that name is not waited for and a device not woken.
fn open_plain(path: impl AsRef<Path>) -> io::Result<File> {
    let seen = OpenOptions::new().read(true).custom_flags((OFlag::O_PATH | OFlag::O_CLOEXEC).bits()).open(path)?;
    if !seen.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
    }
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(format!("/proc/self/fd/{}", seen.as_raw_fd()))
}

impl MappedFile {
    /// Its number in its file system.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Opens it: by the mapping itself, which finds it even if it was deleted or hidden since (needs
    /// CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), else by its path in the process's own file system, if that
    /// is still the same file.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(&self) -> io::Result<File> {
        let first = self.parts.first().map(|(r, _)| format!("{:x}-{:x}", r.start.0, r.end.0)).unwrap_or_default();
        open_plain(format!("/proc/{}/map_files/{first}", self.pid)).or_else(|_| self.open_by_path())
    }

    fn open_by_path(&self) -> io::Result<File> {
        let file = open_plain(format!("/proc/{}/root{}", self.pid, self.path))?;
        let meta = file.metadata()?;
        let device = (major(meta.dev()), minor(meta.dev()));
        // overlayfs and btrfs give a file a device of their own making (major 0) and name another one in the
        // map.
        if meta.ino() != self.inode || device != self.device && device.0 != 0 {
            return Err(io::Error::other(format!("{} was replaced since it was loaded", self.path)));
        }
        Ok(file)
    }

    /// Opens it as an ELF image; with it what is added to the image's addresses to get the process's. `None`
    /// if it is none that we read.
    #[must_use]
    pub fn image(&self) -> Option<(ElfImage, u64)> {
        let image = ElfImage::open(self.open().ok()?, self.path.clone()).ok()?;
        let bias = self.bias(&image)?;
        Some((image, bias))
    }

    /// What is added to the image's addresses to get the process's.
    #[must_use]
    pub fn bias(&self, image: &ElfImage) -> Option<u64> {
        let (vaddr, offset) = image.first_load()?;
        let page = page_size();
        let (range, _) = self.parts.iter().find(|(_, o)| *o == offset / page * page)?;
        Some(range.start.0.wrapping_sub(vaddr / page * page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Addr, LiveProcess, Memory as _};

    /// This test is linked against the system's C library: a library whose bytes we can compare.
    #[test]
    fn finds_opens_and_places_a_library() {
        let files = mapped_files(std::process::id() as i32);
        let libc = files.iter().find(|f| f.path.contains("libc.so") || f.path.contains("libc-")).unwrap();
        let (image, bias) = libc.image().unwrap();
        let text = image.section(".text").unwrap().clone();
        let stated = image.section_bytes(&text).unwrap();
        let me = LiveProcess::open(std::process::id() as i32).unwrap();
        let mut mapped = vec![0; 4096];
        me.read(Addr(text.range.start.0 + bias), &mut mapped).unwrap();
        assert_eq!(mapped, stated[..4096]);
        assert!(files.iter().all(|f| f.path.starts_with('/')));
    }

    /// The way of those who may not use `map_files`: the same file, or none, and never a wait.
    #[test]
    fn by_its_path_only_the_same_plain_file_is_opened() {
        let files = mapped_files(std::process::id() as i32);
        let libc = files.iter().find(|f| f.path.contains("libc.so") || f.path.contains("libc-")).unwrap();
        assert_eq!(libc.open_by_path().unwrap().metadata().unwrap().ino(), libc.inode);
        assert!(MappedFile { inode: libc.inode + 1, ..libc.clone() }.open_by_path().is_err());
        let anonymous = libc.open().is_ok_and(|f| major(f.metadata().unwrap().dev()) == 0);
        let elsewhere = MappedFile { device: (libc.device.0, libc.device.1 + 1), ..libc.clone() };
        assert_eq!(elsewhere.open_by_path().is_ok(), anonymous);
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("libc.so");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [fifo.to_str().unwrap(), "/dev/zero", "/dev", "/nowhere"] {
            let inode = std::fs::metadata(path).map_or(0, |m| m.ino());
            let replaced = MappedFile { path: path.to_owned(), inode, parts: Vec::new(), ..libc.clone() };
            assert!(replaced.open().is_err() && replaced.open_by_path().is_err(), "{path}");
        }
    }

    #[test]
    fn the_device_of_a_line() {
        assert_eq!(device("00400000-00556000 r-xp 00001000 fe:0a 1234  /usr/bin/with space"), Some((0xfe, 10)));
        assert_eq!(device("nonsense"), None);
    }

    #[test]
    fn no_process_no_files() {
        assert_eq!(mapped_files(i32::MAX), []);
    }
}
