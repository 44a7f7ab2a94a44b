//! A live process, opened read-only.

use std::fs::File;
use std::io::{IoSliceMut, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use thiserror::Error;

use crate::addr::Addr;
use crate::arch::page_size;
use crate::elf::{ElfImage, ImageError, LoadedImage};
use crate::handed::read_by;
use crate::images::mapped_files;
use crate::mapping::{Mapping, parse_maps};
use crate::memory::{Memory, Part, ReadError};
use crate::pagemap::PageMap;
use crate::proc_text::bounded_text;
use crate::resident::{Resident, parse_smaps};
use crate::stat::Stat;

/// Why a process could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No process with this number.
    #[error("no process {0}: it has ended, or never was (see `lastgasp ps`)")]
    NoProcess(i32),
    /// A kernel thread or a zombie: no memory of its own.
    #[error("process {0} has no memory of its own (a kernel thread, or it has just ended)")]
    NoMemory(i32),
    /// The kernel refused.
    #[error(
        "no permission to read process {pid} ({what}): needs CAP_SYS_PTRACE; run as root, or as the process's user with kernel.yama.ptrace_scope=0"
    )]
    Denied {
        /// Process number.
        pid: i32,
        /// Name below `/proc/PID`: `mem`, `exe`.
        what: &'static str,
    },
    /// The process number belongs to another process by now.
    #[error("process {0} is not the one it was: its number was reused")]
    Reused(i32),
    /// The executable could not be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Any other error of the system.
    #[error("process {pid}: {what}: {error}")]
    Io {
        /// Process number.
        pid: i32,
        /// Name below `/proc/PID`: `mem`, `exe`.
        what: &'static str,
        /// The system's error.
        error: std::io::Error,
    },
}

/// Memory use of a process, from `/proc/PID/status` (bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// `VmRSS`: resident in all, the sum of the next three.
    pub rss: u64,
    /// `RssAnon`: resident memory without a file: heap, stacks.
    pub anon: u64,
    /// `RssFile`: resident pages of mapped files: code, constant data.
    pub file: u64,
    /// `RssShmem`: resident shared memory, tmpfs included.
    pub shmem: u64,
    /// `VmSwap`: anonymous memory that stands in swap.
    pub swap: u64,
    /// `VmPTE`: page tables, charged to the cgroup but not part of the RSS.
    pub page_tables: u64,
}

/// A process whose memory is open for reading. The descriptor of `/proc/PID/mem` is tied to the address
/// space, not to the number, and so is the way to its other files: neither reads another process, even if the
/// number is reused.
#[derive(Debug)]
pub struct LiveProcess {
    pid: i32,
    start_time: u64,
    way: Way,
    mem: Arc<File>,
    loaded: Arc<LoadedImage>,
}

/// The way to the kernel's files of a process.
#[derive(Debug)]
enum Way {
    /// `/proc/PID`, opened. When the process is gone there is nothing in it any more.
    Folder(File),
    /// Its number, for as long as that is its: a pidfd, which whoever watches it has anyway, says so.
    Number(Arc<OwnedFd>),
}

/// Whether the process that a pidfd was opened for still has its number, by the pidfd's own entry in `/proc`:
/// one that was reaped has none (`-1`).
fn has_number(pidfd: &OwnedFd, pid: i32) -> bool {
    let entry = File::open(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).and_then(bounded_text);
    let number = entry.ok().and_then(|text| text.lines().find_map(|l| l.strip_prefix("Pid:")?.trim().parse().ok()));
    number == Some(pid)
}

/// More than any kernel says in `/proc/PID/auxv`, in bytes.
const MAX_AUXV: u64 = 16 << 10;

/// Field 22 of `/proc/PID/stat`: when the process started, in clock ticks since boot. With the number it
/// names one process for good.
#[must_use]
pub fn start_time(pid: i32) -> Option<u64> {
    Stat::of_process(pid)?.start_time()
}

impl LiveProcess {
    /// Opens the process `pid` for reading: memory, executable, load bias.
    ///
    /// # Errors
    /// [`OpenError`], each with its cure.
    pub fn open(pid: i32) -> Result<Self, OpenError> {
        let start = start_time(pid).ok_or(OpenError::NoProcess(pid))?;
        let folder = open_of(pid, "")?;
        let exe = open_of(pid, "exe")?;
        let mem = open_of(pid, "mem")?;
        let image = ElfImage::open(exe, format!("/proc/{pid}/exe"))?;
        let bias = load_bias(pid, &image)?;
        if start_time(pid) != Some(start) {
            return Err(OpenError::Reused(pid));
        }
        let way = Way::Folder(folder);
        Ok(Self { pid, start_time: start, way, mem: Arc::new(mem), loaded: Arc::new(LoadedImage { image, bias }) })
    }

    /// Opens `pid`, whose executable or library somebody else has opened and read: of its files only those of
    /// the kernel are opened. `bias`: that of a library; the executable's stands in its memory map. `pidfd`:
    /// its own, where there is one; then its folder is not kept open.
    ///
    /// # Errors
    /// As [`LiveProcess::open`].
    pub fn open_known(
        pid: i32,
        image: ElfImage,
        bias: Option<u64>,
        pidfd: Option<Arc<OwnedFd>>,
    ) -> Result<Self, OpenError> {
        let start = start_time(pid).ok_or(OpenError::NoProcess(pid))?;
        let way = match pidfd {
            Some(pidfd) if has_number(&pidfd, pid) => Way::Number(pidfd),
            _ => Way::Folder(open_of(pid, "")?),
        };
        let mem = open_of(pid, "mem")?;
        let bias = bias.map_or_else(|| load_bias(pid, &image), Ok)?;
        if start_time(pid) != Some(start) {
            return Err(OpenError::Reused(pid));
        }
        Ok(Self { pid, start_time: start, way, mem: Arc::new(mem), loaded: Arc::new(LoadedImage { image, bias }) })
    }

    /// Opens `pid`; its image is the executable if that is `wanted`, else the first mapped library (by path)
    /// that is, else the executable after all.
    ///
    /// # Errors
    /// As [`LiveProcess::open`].
    pub fn open_wanted(pid: i32, wanted: impl Fn(&ElfImage) -> bool) -> Result<Self, OpenError> {
        let mut process = Self::open(pid)?;
        if !wanted(process.image()) {
            let libraries = mapped_files(pid);
            if let Some((image, bias)) = libraries.iter().filter_map(|f| f.image()).find(|(image, _)| wanted(image)) {
                process.loaded = Arc::new(LoadedImage { image, bias });
            }
        }
        Ok(process)
    }

    /// The process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// As [`start_time`], when it was opened.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// The executable, or the library that was wanted in its place.
    #[must_use]
    pub fn image(&self) -> &ElfImage {
        &self.loaded.image
    }

    /// What is added to the image's addresses to get the process's.
    #[must_use]
    pub fn bias(&self) -> u64 {
        self.loaded.bias
    }

    /// The executable and its load bias, to be kept when the process is gone.
    #[must_use]
    pub fn loaded(&self) -> Arc<LoadedImage> {
        Arc::clone(&self.loaded)
    }

    /// The descriptor of the memory, for who holds it beside this.
    #[must_use]
    pub fn mem_shared(&self) -> Arc<File> {
        Arc::clone(&self.mem)
    }

    /// Its pidfd, if that is how its files are found.
    #[must_use]
    pub fn pidfd(&self) -> Option<Arc<OwnedFd>> {
        match &self.way {
            Way::Number(pidfd) => Some(Arc::clone(pidfd)),
            Way::Folder(_) => None,
        }
    }

    /// A second descriptor of the memory, for who hands it to another process.
    ///
    /// # Errors
    /// The system's error (too many open files).
    pub fn mem_file(&self) -> std::io::Result<File> {
        self.mem.try_clone()
    }

    /// Whether the number still belongs to this process and it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.start_time)
    }

    /// Its memory map.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        let error = |error| OpenError::Io { pid: self.pid, what: "maps", error };
        self.text("maps").map(|t| parse_maps(&t)).map_err(error)
    }

    /// A file of its folder. Names and paths in it may be any bytes, also some that are no text.
    fn text(&self, name: &str) -> std::io::Result<String> {
        bounded_text(self.file(name)?)
    }

    fn file(&self, name: &str) -> std::io::Result<File> {
        match &self.way {
            Way::Folder(folder) => {
                let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                Ok(File::from(openat(folder, name, flags, Mode::empty())?))
            }
            Way::Number(_) => {
                let file = File::open(format!("/proc/{}/{name}", self.pid))?;
                // Asked afterwards: whose number it is now, its number it was all the time.
                if self.has_number() { Ok(file) } else { Err(Errno::ESRCH.into()) }
            }
        }
    }

    /// Whether its number is still its own.
    fn has_number(&self) -> bool {
        match &self.way {
            Way::Folder(folder) => openat(folder, "statm", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).is_ok(),
            Way::Number(pidfd) => has_number(pidfd, self.pid),
        }
    }

    /// Its memory use.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let text = self.text("status").ok()?;
        let field = |name: &str| -> u64 {
            text.lines()
                .find_map(|l| l.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        Some(Usage {
            rss: field("VmRSS"),
            anon: field("RssAnon"),
            file: field("RssFile"),
            shmem: field("RssShmem"),
            swap: field("VmSwap"),
            page_tables: field("VmPTE"),
        })
        .filter(|u| u.rss > 0)
    }

    /// What of each of its mappings is resident; `None` if it is gone. Some milliseconds per gigabyte.
    #[must_use]
    pub fn residency(&self) -> Option<Vec<Resident>> {
        let text = self.text("smaps").ok()?;
        Some(parse_smaps(&text)).filter(|r| !r.is_empty())
    }

    /// The file that says so, opened: it can be read as long as the address space is held and the process has
    /// not been reaped ([`resident_by`]).
    ///
    /// # Errors
    /// The system's error: it has ended.
    pub fn residency_file(&self) -> std::io::Result<File> {
        self.file("smaps")
    }

    /// Which of its pages are in memory.
    ///
    /// # Errors
    /// The system's error: it has ended.
    pub fn page_map(&self) -> std::io::Result<PageMap> {
        self.file("pagemap").map(PageMap::of)
    }

    /// Its memory map, opened: it can be read as long as the address space is held and the process has not
    /// been reaped.
    ///
    /// # Errors
    /// The system's error: it has ended.
    pub fn maps_file(&self) -> std::io::Result<File> {
        self.file("maps")
    }

    /// `/proc/PID/auxv`: what the kernel told it at its start.
    ///
    /// # Errors
    /// The system's error: it has ended.
    pub fn auxiliary_vector(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file("auxv")?.take(MAX_AUXV).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// As [`resident_bytes`], of this process.
    #[must_use]
    pub fn rss(&self) -> Option<u64> {
        resident_in(self.file("statm").ok()?)
    }
}

/// Opens a file of the kernel's folder of a process, or what it leads to.
fn open_of(pid: i32, what: &'static str) -> Result<File, OpenError> {
    File::open(format!("/proc/{pid}/{what}")).map_err(|e| match e.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES | Errno::EPERM) => OpenError::Denied { pid, what },
        Some(Errno::ENOENT | Errno::ESRCH) if start_time(pid).is_none() => OpenError::NoProcess(pid),
        Some(Errno::ENOENT | Errno::ESRCH) => OpenError::NoMemory(pid),
        _ => OpenError::Io { pid, what, error: e },
    })
}

/// Resident bytes from `/proc/PID/statm`: cheap (about 2 µs), good enough for polling.
#[must_use]
pub fn resident_bytes(pid: i32) -> Option<u64> {
    resident_in(File::open(format!("/proc/{pid}/statm")).ok()?)
}

fn resident_in(statm: File) -> Option<u64> {
    Some(sizes_in(statm)?.1)
}

/// Mapped and resident bytes from `/proc/PID/statm`; `None` of who has no address space: one that has ended,
/// or a thread of the kernel.
///
/// What is resident says nothing of that: the kernel counts it by processor and sums it up late
/// (`percpu_counter`, Linux 6.2), and of a shell whose file pages were taken back for want of memory 0 is
/// read. Seen beside a victim at its limit: the test `the_heap_of_the_dead`.
#[must_use]
pub fn address_space(pid: i32) -> Option<(u64, u64)> {
    sizes_in(File::open(format!("/proc/{pid}/statm")).ok()?).filter(|(mapped, _)| *mapped > 0)
}

fn sizes_in(mut statm: File) -> Option<(u64, u64)> {
    let mut buf = [0; 128];
    let n = statm.read(&mut buf).ok()?;
    let mut pages = std::str::from_utf8(buf.get(..n)?).ok()?.split_whitespace();
    let mut bytes = || pages.next()?.parse::<u64>().ok()?.checked_mul(page_size());
    Some((bytes()?, bytes()?))
}

/// What of each mapping is resident by an open file ([`LiveProcess::residency_file`]); `None` if there is
/// nothing to be read any more.
#[must_use]
pub fn resident_by(file: &File) -> Option<Vec<Resident>> {
    use std::os::unix::fs::FileExt as _;
    /// The kernel allows some 65,000 mappings of some 700 bytes each.
    const MAX_TEXT: usize = 64 << 20;
    let mut text = Vec::new();
    let mut piece = vec![0; 64 << 10];
    while text.len() < MAX_TEXT {
        let n = file.read_at(&mut piece, text.len() as u64).ok()?;
        if n == 0 {
            break;
        }
        text.extend_from_slice(piece.get(..n)?);
    }
    Some(parse_smaps(&String::from_utf8_lossy(&text))).filter(|r| !r.is_empty())
}

fn read_mappings(pid: i32) -> Result<Vec<Mapping>, OpenError> {
    let text = File::open(format!("/proc/{pid}/maps")).and_then(bounded_text);
    text.map(|t| parse_maps(&t)).map_err(|error| OpenError::Io { pid, what: "maps", error })
}

/// First mapping of the executable at file offset 0, less the lowest address that it asks for.
fn load_bias(pid: i32, image: &ElfImage) -> Result<u64, OpenError> {
    Ok(bias_in(&read_mappings(pid)?, image))
}

/// What is added to an executable's addresses to get the process's, by that process's memory map; 0 where it
/// is not in it.
#[must_use]
pub fn bias_in(maps: &[Mapping], image: &ElfImage) -> u64 {
    let inode = image.state().inode;
    let (vaddr, offset) = image.first_load().unwrap_or((0, 0));
    let page = page_size();
    let first = maps.iter().find(|m| m.inode == inode && m.offset == offset / page * page);
    first.map_or(0, |m| m.range.start.0.wrapping_sub(vaddr / page * page))
}

/// A memory map, by its open file.
///
/// # Errors
/// The system's error; there is nothing to be read any more.
pub fn mappings_in(maps: File) -> std::io::Result<Vec<Mapping>> {
    bounded_text(maps).map(|text| parse_maps(&text))
}

impl Memory for LiveProcess {
    /// Reads through the open descriptor, which goes on working after a kill while the address space is
    /// pinned.
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        read_by(&self.mem, addr, buf)
    }

    /// `process_vm_readv` in batches; where it stops at a part (absent memory) or fails (the process has
    /// ended), that part is read by itself through the descriptor. That call goes by the number: should
    /// another process have it by now, all is read again through the descriptor.
    fn read_parts(&self, parts: &mut [Part<'_>]) {
        self.read_parts_by_number(parts);
        // Asked afterwards: whose number it is now, its number it was all the time.
        if !self.has_number() {
            for p in parts {
                p.buf.fill(0);
                p.ok = self.read(p.addr, p.buf).is_ok();
            }
        }
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        Some(self)
    }
}

impl LiveProcess {
    fn read_parts_by_number(&self, parts: &mut [Part<'_>]) {
        let mut rest = parts;
        let mut alive = true;
        while !rest.is_empty() {
            let n = rest.len().min(512);
            let (batch, tail) = rest.split_at_mut(n);
            let mut done = if alive { self.readv(batch) } else { 0 };
            alive = done > 0;
            while let Some(p) = batch.get_mut(done) {
                p.ok = self.read(p.addr, p.buf).is_ok();
                done += 1;
            }
            rest = tail;
        }
    }

    /// Gives how many parts from the start are complete.
    fn readv(&self, parts: &mut [Part<'_>]) -> usize {
        let remote: Vec<RemoteIoVec> =
            parts.iter().map(|p| RemoteIoVec { base: p.addr.0 as usize, len: p.buf.len() }).collect();
        let mut local: Vec<IoSliceMut<'_>> = parts.iter_mut().map(|p| IoSliceMut::new(p.buf)).collect();
        let Ok(mut bytes) = process_vm_readv(Pid::from_raw(self.pid), &mut local, &remote) else {
            return 0;
        };
        let mut done = 0;
        for p in parts.iter_mut() {
            if bytes < p.buf.len() {
                break;
            }
            bytes -= p.buf.len();
            p.ok = true;
            done += 1;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::ReadCause;

    #[test]
    fn reads_itself_in_parts_and_names_what_is_absent() {
        let me = LiveProcess::open(std::process::id() as i32).unwrap();
        let secret = *b"lastgasp reads lastgasp";
        let at = Addr(secret.as_ptr() as u64);
        let (mut a, mut b, mut c) = ([0; 8], [0; 8], [0; 8]);
        let mut parts = [
            Part { addr: at, buf: &mut a, ok: false },
            Part { addr: Addr(1), buf: &mut b, ok: false },
            Part { addr: at.plus(9), buf: &mut c, ok: false },
        ];
        me.read_parts(&mut parts);
        assert_eq!(parts.iter().map(|p| p.ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!((&a, &c), (b"lastgasp", b"reads la"));
        assert_eq!(me.u64(Addr(8)).unwrap_err().cause, ReadCause::Absent);
        assert!(me.rss().unwrap() > 0);
        assert!(me.usage().unwrap().anon > 0);
    }

    /// The number of one that has ended, given to another at once.
    #[test]
    fn another_process_of_the_same_number_is_not_read() {
        another_is_not_read(LiveProcess::open);
    }

    /// The same of one whose files are opened by its number.
    #[test]
    fn another_process_of_the_same_number_is_not_read_by_number() {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let by_number = |pid: i32| {
            let number = Pid::from_raw(pid).ok_or(OpenError::NoProcess(pid))?;
            let pidfd = pidfd_open(number, PidfdFlags::empty()).ok().map(Arc::new);
            if pidfd.is_none() {
                println!("SKIPPED: this kernel has no pidfd");
            }
            let image = ElfImage::open(open_of(pid, "exe")?, "sleep")?;
            LiveProcess::open_known(pid, image, None, pidfd)
        };
        another_is_not_read(by_number);
    }

    fn another_is_not_read(open: impl Fn(i32) -> Result<LiveProcess, OpenError>) {
        let start = || std::process::Command::new("sleep").arg("30").spawn().unwrap();
        for _ in 0..100 {
            let mut first = start();
            let pid = first.id() as i32;
            let Ok(live) = open(pid) else { continue };
            assert!(live.rss().is_some() && live.usage().is_some(), "it lives");
            first.kill().unwrap();
            first.wait().unwrap();
            if let Err(e) = std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()) {
                return println!("SKIPPED: process numbers cannot be chosen: {e}");
            }
            let mut second = start();
            let same = second.id() as i32 == pid;
            let mapped = read_mappings(second.id() as i32).ok().and_then(|m| Some(m.first()?.range.start));
            let mut bytes = [0; 64];
            let mut parts = [Part { addr: mapped.unwrap_or(Addr(0)), buf: &mut bytes, ok: false }];
            live.read_parts(&mut parts);
            let (ok, seen) = (parts[0].ok, (live.rss(), live.usage(), live.residency()));
            second.kill().unwrap();
            second.wait().unwrap();
            if same && mapped.is_some() {
                assert!(!ok && bytes == [0; 64], "{bytes:?}");
                assert_eq!(seen, (None, None, None));
                return;
            }
        }
        println!("SKIPPED: the number did not come again");
    }

    #[test]
    fn says_what_is_wrong_with_a_number() {
        assert!(matches!(LiveProcess::open(i32::MAX), Err(OpenError::NoProcess(_))));
    }

    #[test]
    fn the_end_of_a_process_ends_its_memory() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let live = LiveProcess::open(child.id() as i32).unwrap();
        let at = live.mappings().unwrap().first().unwrap().range.start;
        assert!(live.u64(at).is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!live.is_alive());
        assert_eq!(live.u64(at).unwrap_err().cause, ReadCause::Gone);
    }
}
