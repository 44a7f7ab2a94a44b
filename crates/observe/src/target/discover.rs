//! Finding Go processes.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use lastgasp_goruntime::{BuildInfo, DiscoverError, Runtime};
use lastgasp_inferior::{ElfImage, ImageError, section_names, start_time, try_mapped_files};

use crate::kernel::files::means_out_of_descriptors;

/// A process whose executable says that it is Go, or a library that it has loaded.
#[derive(Clone, Debug)]
pub struct GoProcess {
    /// Process number.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`.
    pub start_time: u64,
    /// What its executable says.
    pub executable: GoExecutable,
}

/// A Go executable.
#[derive(Clone, Debug)]
pub struct GoExecutable {
    /// Build information; nothing in it where it was obfuscated.
    pub build_info: BuildInfo,
    /// Whether it has no symbol table.
    pub stripped: bool,
}

/// All Go processes that could be seen.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// By number.
    pub processes: Vec<GoProcess>,
    /// How many processes the kernel would not show us: Go or not.
    pub denied: usize,
}

/// A file, in the state that it was seen in: device, inode, size, change and modification to the nanosecond.
/// Devices and inodes are used again, times are not.
type FileKey = (u64, u64, u64, [i64; 4]);

/// Remembers executables by file, so that a hundred instances are parsed once, and what is no Go at all costs
/// a stat.
#[derive(Debug, Default)]
pub struct Discoverer {
    known: BTreeMap<FileKey, Option<GoExecutable>>,
    /// Libraries by path and inode: what is not open has no other name.
    libraries: BTreeMap<(String, u64), Option<GoExecutable>>,
}

/// What became of a look at a process.
#[derive(Debug)]
pub enum Look {
    /// It is Go, as far as a look of that depth shows it.
    Go(GoProcess),
    /// It is not.
    Other,
    /// The kernel would not show it.
    Denied,
    /// Nobody wants it: no file of its was opened.
    Unwanted,
    /// Nothing could be opened, whatever it is: this process is out of descriptors.
    OutOfDescriptors,
}

/// Most files, and most libraries, that are remembered: anybody may run any number of them.
const MAX_KNOWN: usize = 8192;

/// How closely a process is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// At its executable: a stat where that is known.
    Executable,
    /// At the libraries that it has loaded too.
    Libraries,
}

impl Discoverer {
    /// `Some` if `pid` runs a Go executable that we may read, or has loaded a Go library.
    pub fn go_process(&mut self, pid: i32) -> Option<GoProcess> {
        self.find(pid, Depth::Libraries)
    }

    /// `Some` if `pid` is Go, as far as a look of that depth shows it.
    pub fn find(&mut self, pid: i32, depth: Depth) -> Option<GoProcess> {
        match self.look(pid, depth, || true) {
            Look::Go(process) => Some(process),
            _ => None,
        }
    }

    /// All Go processes of this machine, by number. Executables are opened through `/proc`, whatever mount
    /// namespace they live in.
    pub fn all(&mut self) -> Listing {
        let mut pids: Vec<i32> = std::fs::read_dir("/proc")
            .map(|d| d.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect())
            .unwrap_or_default();
        pids.sort_unstable();
        let mut listing = Listing::default();
        for pid in pids {
            match self.look(pid, Depth::Libraries, || true) {
                Look::Go(process) => listing.processes.push(process),
                Look::Denied | Look::OutOfDescriptors => listing.denied += 1,
                Look::Other | Look::Unwanted => {}
            }
        }
        listing
    }

    /// A Go library that a program of another language has loaded.
    fn library(&mut self, pid: i32) -> Result<Option<GoExecutable>, OutOfDescriptors> {
        let files = try_mapped_files(pid).map(Some).or_else(or_nothing)?;
        for file in files.unwrap_or_default() {
            let key = (file.path.clone(), file.inode());
            let found = match self.libraries.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let opened = file.open().map(Some).or_else(or_nothing)?;
                    let found = match opened {
                        Some(opened) => executable(opened, file.path.clone())?,
                        None => None,
                    };
                    remember(&mut self.libraries, key, &found);
                    found
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A look of that depth. `wanted` is asked before a file of its is opened, its executable or a library:
    /// what a file says of itself is its owner's, and costs nothing for who is not to be watched. It is not
    /// asked of files that are known.
    pub fn look(&mut self, pid: i32, depth: Depth, wanted: impl Fn() -> bool) -> Look {
        let path = format!("/proc/{pid}/exe");
        let key = match metadata(&path) {
            Ok(meta) => key(&meta),
            Err(e) => return refused(&e),
        };
        let known = match self.known.get(&key) {
            Some(known) => known.clone(),
            None if !wanted() => return Look::Unwanted,
            None => {
                let file = match File::open(&path) {
                    Ok(file) => file,
                    Err(e) => return refused(&e),
                };
                let Ok(found) = executable(file, path) else { return Look::OutOfDescriptors };
                remember(&mut self.known, key, &found);
                found
            }
        };
        let known = match depth {
            Depth::Executable => known,
            Depth::Libraries if known.is_some() => known,
            Depth::Libraries if !wanted() => return Look::Unwanted,
            Depth::Libraries => match self.library(pid) {
                Ok(library) => library,
                Err(OutOfDescriptors) => return Look::OutOfDescriptors,
            },
        };
        match (known, start_time(pid)) {
            (Some(executable), Some(start_time)) => Look::Go(GoProcess { pid, start_time, executable }),
            // It is there, and its file could not be opened.
            (Some(_), None) if exists(pid) => Look::OutOfDescriptors,
            _ => Look::Other,
        }
    }
}

/// What a failure to look at an executable says of its process. A stat needs less than an open: of a file
/// that nobody may read, only the stat succeeds.
fn refused(e: &std::io::Error) -> Look {
    match e.kind() {
        // EACCES and EPERM.
        ErrorKind::PermissionDenied => Look::Denied,
        _ if means_out_of_descriptors(e) => Look::OutOfDescriptors,
        // A kernel thread has none; or it has just ended.
        _ => Look::Other,
    }
}

/// This process is out of descriptors: nothing is known of what it could not open.
struct OutOfDescriptors;

/// `None` for what cannot be opened by anybody.
fn or_nothing<T>(e: std::io::Error) -> Result<Option<T>, OutOfDescriptors> {
    if means_out_of_descriptors(&e) { Err(OutOfDescriptors) } else { Ok(None) }
}

/// Whether there is a process or thread of that number; asked without a descriptor.
#[must_use]
pub fn exists(pid: i32) -> bool {
    metadata(format!("/proc/{pid}")).is_ok()
}

/// Notes what a file is; when there are too many all are forgotten, and seen afresh.
fn remember<K: Ord>(known: &mut BTreeMap<K, Option<GoExecutable>>, key: K, found: &Option<GoExecutable>) {
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    known.insert(key, found.clone());
}

/// Whether an image is Go, to be read or not: what cannot be read is refused by name.
pub(crate) fn says_that_it_is_go(image: &ElfImage) -> bool {
    !matches!(Runtime::build_info(image), Err(DiscoverError::NotGo { .. }))
}

fn key(meta: &Metadata) -> FileKey {
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    (meta.dev(), meta.ino(), meta.size(), times)
}

/// Sections that tell a Go program, whatever its processor.
const OF_GO: [&str; 3] = [".go.buildinfo", ".gopclntab", ".note.go.buildid"];

fn executable(file: File, path: String) -> Result<Option<GoExecutable>, OutOfDescriptors> {
    let again = file.try_clone();
    let image = match ElfImage::open(file, path) {
        Ok(image) => image,
        Err(ImageError::Io { error, .. }) => return or_nothing(error),
        Err(ImageError::Format { .. }) => return Ok(unreadable(&again)),
    };
    let build_info = match Runtime::build_info(&image) {
        Ok(info) => info,
        // Go nevertheless: that it cannot be read, and why, is said to whoever tries.
        Err(DiscoverError::Garbled { .. } | DiscoverError::Gccgo { .. }) => BuildInfo::default(),
        Err(_) => return Ok(None),
    };
    Ok(Some(GoExecutable { build_info, stripped: image.is_stripped() }))
}

/// Of 32 bits, or for another processor: Go nevertheless, and refused by whoever tries to read it.
fn unreadable(file: &std::io::Result<File>) -> Option<GoExecutable> {
    let names = section_names(file.as_ref().ok()?);
    let stripped = !names.iter().any(|n| n == ".symtab");
    names_of_go(&names).then_some(GoExecutable { build_info: BuildInfo::default(), stripped })
}

/// Whether sections of these names are of a Go program.
pub(super) fn names_of_go(names: &[String]) -> bool {
    names.iter().any(|name| OF_GO.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its executable is not even opened, and what is known of a file is known of all that run it.
    #[test]
    fn who_is_not_wanted_is_not_opened() {
        let (mut discoverer, own) = (Discoverer::default(), std::process::id() as i32);
        for depth in [Depth::Executable, Depth::Libraries] {
            assert!(matches!(discoverer.look(own, depth, || false), Look::Unwanted));
        }
        assert!(discoverer.known.is_empty() && discoverer.libraries.is_empty());
        assert!(matches!(discoverer.look(own, Depth::Executable, || true), Look::Other));
        assert!(matches!(discoverer.look(own, Depth::Executable, || panic!("it is known")), Look::Other));
        assert!(matches!(discoverer.look(own, Depth::Libraries, || false), Look::Unwanted));
        assert!(discoverer.libraries.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = BTreeMap::new();
        (0..3 * MAX_KNOWN).for_each(|key| remember(&mut known, key, &None));
        assert!(known.len() <= MAX_KNOWN && known.contains_key(&(3 * MAX_KNOWN - 1)));
    }

    #[test]
    fn what_may_not_be_opened_is_denied_and_what_is_gone_is_not() {
        let look = |errno: i32| refused(&std::io::Error::from_raw_os_error(errno));
        assert!(matches!(look(nix::libc::EACCES), Look::Denied));
        assert!(matches!(look(nix::libc::EPERM), Look::Denied));
        assert!(matches!(look(nix::libc::ENOENT), Look::Other));
        assert!(matches!(look(nix::libc::ESRCH), Look::Other));
    }
}
