//! Finding Go processes.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use lastgasp_goruntime::{BuildInfo, DiscoverError, Runtime};
use lastgasp_inferior::{ElfImage, mapped_files, section_names, start_time};

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
enum Look {
    Go(GoProcess),
    Other,
    Denied,
}

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
        match self.look(pid, depth) {
            Look::Go(process) => Some(process),
            Look::Other | Look::Denied => None,
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
            match self.look(pid, Depth::Libraries) {
                Look::Go(process) => listing.processes.push(process),
                Look::Other => {}
                Look::Denied => listing.denied += 1,
            }
        }
        listing
    }

    /// A Go library that a program of another language has loaded.
    fn library(&mut self, pid: i32) -> Option<GoExecutable> {
        mapped_files(pid).iter().find_map(|file| {
            let known = self.libraries.entry((file.path.clone(), file.inode())).or_insert_with(|| {
                let opened = file.open().ok()?;
                executable(opened, file.path.clone())
            });
            known.clone()
        })
    }

    fn look(&mut self, pid: i32, depth: Depth) -> Look {
        let path = format!("/proc/{pid}/exe");
        let key = match metadata(&path) {
            Ok(meta) => key(&meta),
            Err(e) => return refused(&e),
        };
        let known = match self.known.get(&key) {
            Some(known) => known.clone(),
            None => {
                let file = match File::open(&path) {
                    Ok(file) => file,
                    Err(e) => return refused(&e),
                };
                let found = executable(file, path);
                self.known.insert(key, found.clone());
                found
            }
        };
        let known = match depth {
            Depth::Executable => known,
            Depth::Libraries => known.or_else(|| self.library(pid)),
        };
        match known.zip(start_time(pid)) {
            Some((executable, start_time)) => Look::Go(GoProcess { pid, start_time, executable }),
            None => Look::Other,
        }
    }
}

/// What a failure to look at an executable says of its process. A stat needs less than an open: of a file
/// that nobody may read, only the stat succeeds.
fn refused(e: &std::io::Error) -> Look {
    match e.kind() {
        // EACCES and EPERM.
        ErrorKind::PermissionDenied => Look::Denied,
        // A kernel thread has none; or it has just ended.
        _ => Look::Other,
    }
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

fn executable(file: File, path: String) -> Option<GoExecutable> {
    let again = file.try_clone();
    let Ok(image) = ElfImage::open(file, path) else {
        // Of 32 bits, or for another processor: Go nevertheless, and refused by whoever tries to read it.
        let names = section_names(&again.ok()?);
        let has = |name: &str| names.iter().any(|n| n == name);
        let go = GoExecutable { build_info: BuildInfo::default(), stripped: !has(".symtab") };
        return OF_GO.into_iter().any(has).then_some(go);
    };
    let build_info = match Runtime::build_info(&image) {
        Ok(info) => info,
        // Go nevertheless: that it cannot be read, and why, is said to whoever tries.
        Err(DiscoverError::Garbled { .. } | DiscoverError::Gccgo { .. }) => BuildInfo::default(),
        Err(_) => return None,
    };
    Some(GoExecutable { build_info, stripped: image.is_stripped() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_opened_is_denied_and_what_is_gone_is_not() {
        let look = |errno: i32| refused(&std::io::Error::from_raw_os_error(errno));
        assert!(matches!(look(nix::libc::EACCES), Look::Denied));
        assert!(matches!(look(nix::libc::EPERM), Look::Denied));
        assert!(matches!(look(nix::libc::ENOENT), Look::Other));
        assert!(matches!(look(nix::libc::ESRCH), Look::Other));
    }
}
