//! The files with code that a process has mapped, beside its executable: a runtime may live in a library that a program of another language loads.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use crate::arch::PAGE;
use crate::{AddrRange, ElfImage, parse_maps};

/// Most files of one process that are looked at.
const MAX_FILES: usize = 1024;

/// A file that a process has mapped, code and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedFile {
    pid: i32,
    /// Path, as the process sees it.
    pub path: String,
    inode: u64,
    /// Its mappings with their offsets in the file, by address.
    parts: Vec<(AddrRange, u64)>,
}

/// Files of which `pid` has code mapped, by path. None where its map may not be read.
#[must_use]
pub fn mapped_files(pid: i32) -> Vec<MappedFile> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).map(|t| parse_maps(&t)).unwrap_or_default();
    let mut files: BTreeMap<(String, u64), (bool, MappedFile)> = BTreeMap::new();
    for m in maps.into_iter().filter(|m| m.inode != 0 && m.path.starts_with('/')) {
        if files.len() >= MAX_FILES {
            break;
        }
        let (code, file) = files
            .entry((m.path.clone(), m.inode))
            .or_insert_with(|| (false, MappedFile { pid, path: m.path.clone(), inode: m.inode, parts: Vec::new() }));
        *code |= m.executable;
        file.parts.push((m.range, m.offset));
    }
    files.into_values().filter(|(code, _)| *code).map(|(_, f)| f).collect()
}

impl MappedFile {
    /// Its number in its file system.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Opens it: by the mapping itself, which finds it even if it was deleted or hidden since (needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), else by its
    /// path in the process's own file system, if that is still the same file.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(&self) -> std::io::Result<File> {
        let first = self.parts.first().map(|(r, _)| format!("{:x}-{:x}", r.start.0, r.end.0)).unwrap_or_default();
        if let Ok(file) = File::open(format!("/proc/{}/map_files/{first}", self.pid)) {
            return Ok(file);
        }
        let file = File::open(format!("/proc/{}/root{}", self.pid, self.path))?;
        if file.metadata()?.ino() != self.inode {
            return Err(std::io::Error::other(format!("{} was replaced since it was loaded", self.path)));
        }
        Ok(file)
    }

    /// Opens it as an ELF image; with it what is added to the image's addresses to get the process's. `None` if it is none that we read.
    #[must_use]
    pub fn image(&self) -> Option<(ElfImage, u64)> {
        let image = ElfImage::open(self.open().ok()?, self.path.clone()).ok()?;
        let (vaddr, offset) = image.first_load()?;
        let (range, _) = self.parts.iter().find(|(_, o)| *o == offset / PAGE * PAGE)?;
        let bias = range.start.0.wrapping_sub(vaddr / PAGE * PAGE);
        Some((image, bias))
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

    #[test]
    fn no_process_no_files() {
        assert_eq!(mapped_files(i32::MAX), []);
    }
}
